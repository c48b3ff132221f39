"""Attributes read from a WSGI environment are those that the contrib WSGI instrumentation collects, in its order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.instrumentation._semconv import _StabilityMode
from opentelemetry.instrumentation.wsgi import collect_request_attributes

from otel_distro.web.environ import attributes_reader

texts = st.text(st.characters(max_codepoint=255), max_size=12)
environs = st.fixed_dictionaries(
    {"wsgi.url_scheme": st.sampled_from(["http", "https", ""]), "SERVER_NAME": st.sampled_from(["shop", "::1"])},
    optional={
        "REQUEST_METHOD": st.sampled_from(["GET", "get", " GET ", "HACK", "QUERY", "", "ß"]) | texts,
        "SCRIPT_NAME": texts,
        "PATH_INFO": texts,
        "QUERY_STRING": texts | st.just("sig=1"),
        "SERVER_PORT": st.integers(0, 70_000).map(str),
        "HTTP_HOST": texts,
        "RAW_URI": texts,
        "REQUEST_URI": texts,
        "REMOTE_ADDR": st.sampled_from(["", "10.0.0.1"]),
        "REMOTE_PORT": st.sampled_from(["", "1", "0", "x"]),
        "REMOTE_HOST": st.sampled_from(["", "10.0.0.1", "client"]),
        "HTTP_USER_AGENT": texts | st.sampled_from(["Mozilla", "Googlebot/2", "AlwaysOn test"]),
        "SERVER_PROTOCOL": texts | st.sampled_from(["HTTP/1.1", "HTTP/1.0", "http/1.0", "HTTP/2", "HTTP/2.0", "HTTP/"]),
    },
).map(lambda environ: {"SERVER_PORT": "80", **environ})


@pytest.mark.parametrize(
    ("mode", "old", "new"),
    [(_StabilityMode.DEFAULT, True, False), (_StabilityMode.HTTP, False, True), (_StabilityMode.HTTP_DUP, True, True)],
)
@given(environ=environs)
def test_what_is_read_is_what_contrib_collects(mode: Any, old: bool, new: bool, environ: dict[str, Any]) -> None:
    expected = collect_request_attributes(dict(environ), mode)
    assert list(attributes_reader(old=old, new=new)(environ).items()) == list(expected.items())
