"""Spans, metrics and answers of instrumented Flask applications are the contrib package's, whatever is asked for."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.instrumentation.propagators import TraceResponsePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    AlwaysRecordSampler,
    Decision,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.flask_parity import Environ, Setup, told


class Choosy(Sampler):
    """Looks at what it is told, and says what the span starts with."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *args: Any, **kwargs: Any) -> SamplingResult:
        attributes = (args[1] if len(args) > 1 else kwargs.get("attributes")) or {}
        decision = Decision.DROP if "/items/" in name else Decision.RECORD_AND_SAMPLE
        return SamplingResult(decision, {"sampled.by": "choosy", "known": len(attributes)})

    def get_description(self) -> str:
        return "choosy"


class OwnPropagator(TextMapPropagator):
    """Knows one header of its own."""

    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Context:
        found = getter.get(carrier, "x-own")
        return baggage.set_baggage("own", found[0], context) if found else context or Context()

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        setter.set(carrier, "x-own", str(baggage.get_baggage("own", context)))

    @property
    def fields(self) -> set[str]:
        return {"x-own"}


METHODS = [
    "GET",
    "GET",
    "GET",
    "HEAD",
    "OPTIONS",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "QUERY",
    "TRACE",
    "HACK",
    "get",
    "",
]
PATHS = [
    "/", "/items/7", "/items/seven", "/any/a/b", "/any/\xc3\xa4\xe2\x82\xac", "/any/a%20b", "/slash/", "/slash",
    "/redirect",
    "/boom", "/stream", "/child", "/orders/ann", "/nowhere", "//", "", "/mounted/deep/1", "/mounted/none",
    *(f"/abort/{code}" for code in (400, 404, 409, 418, 500, 503)),
    *(f"/status/{code}" for code in (101, 200, 204, 299, 302, 304, 404, 499, 500, 599, 0, 600)),
]  # fmt: skip
QUERIES = [
    "", "", "", "a=b", "a=%C3%A4&a=2",
    "before=answer", "before=raise", "blueprint=raise", "after=raise", "teardown=1",
    "sig=1&AWSAccessKeyId=2", "\xff",
]  # fmt: skip
TRACEPARENTS = [
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "nonsense",
]
# Variables of the environment that may be there, and what they may be.
OPTIONAL = {
    "HTTP_HOST": ["localhost", "localhost:8080", "[::1]:80", "shop.example", "", "xn--bcher-kva.example:443"],
    "SERVER_NAME": ["localhost", "::1", "10.0.0.1"],
    "SERVER_PORT": ["80", "443", "8080", "0", ""],
    "SERVER_PROTOCOL": ["HTTP/1.1", "HTTP/1.0", "HTTP/2", "http/1.1", "HTTP/3", "SPDY", ""],
    "RAW_URI": ["/items/7?a=b", "/", "", "http://user:pass@host/x"],
    "REQUEST_URI": ["/items/7", "*"],
    "REMOTE_ADDR": ["127.0.0.1", "::1", ""],
    "REMOTE_PORT": ["50000", "0", "none", ""],
    "REMOTE_HOST": ["client.example", "127.0.0.1", ""],
    "HTTP_USER_AGENT": ["curl/8", "Googlebot/2.1", "alwayson", "", "\xfc"],
    "HTTP_TRACEPARENT": TRACEPARENTS,
    "HTTP_TRACESTATE": ["a=1,b=2", ""],
    "HTTP_BAGGAGE": ["tenant=acme,x=%20y", ""],
    "HTTP_X_OWN": ["mine"],
    "HTTP_X_FORWARDED_FOR": ["203.0.113.9, 10.0.0.1"],
    "HTTP_X_FORWARDED_PROTO": ["https"],
    "HTTP_X_FORWARDED_HOST": ["public.example"],
    "HTTP_X_FORWARDED_PORT": ["8443"],
    "HTTP_X_CUSTOM_ONE": ["value", ""],
    "HTTP_AUTHORIZATION": ["Bearer secret"],
    "HTTP_COOKIE": ["session=1"],
    "CONTENT_LENGTH": ["0", "5", ""],
    "CONTENT_TYPE": ["text/plain"],
}
HEADERS = ["X-Custom.*", "x-custom", "content-type", ".*", "Authorization,set-cookie", "none", "X-Custom-One, cookie"]
VARIABLES = {
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": HEADERS,
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE": HEADERS,
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS": ["authorization", ".*cookie.*", "X-CUSTOM"],
    "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS": ["1"],
}


@st.composite
def environs(draw: st.DrawFn) -> Environ:
    made: Environ = {
        "REQUEST_METHOD": draw(st.sampled_from(METHODS)),
        "SCRIPT_NAME": draw(st.sampled_from(["", "", "/prefix"])),
        "PATH_INFO": draw(st.sampled_from(PATHS) | st.text(st.characters(max_codepoint=255)).map("/any/".__add__)),
        "QUERY_STRING": draw(st.sampled_from(QUERIES)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": draw(st.sampled_from(["http", "http", "https"])),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name in draw(st.sets(st.sampled_from(sorted(OPTIONAL)))):
        made[name] = draw(st.sampled_from(OPTIONAL[name]))
    return made


setups = st.builds(
    Setup,
    opt_in=st.sampled_from(["", "default", "http", "http/dup", "database"]),
    variables=st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VARIABLES.items()}),
    excluded_urls=st.sampled_from([None, None, "", "items", "localhost/any/.*,boom", "nothing"]),
    request_hook=st.booleans(),
    response_hook=st.booleans(),
    commenter=st.booleans(),
    commenter_options=st.none() | st.dictionaries(st.sampled_from(["framework", "controller", "route"]), st.booleans()),
    sampler=st.sampled_from(
        [ALWAYS_ON, DEFAULT_ON, DEFAULT_OFF, ALWAYS_OFF, AlwaysRecordSampler(ALWAYS_OFF), Choosy()]
    ),
    limits=st.sampled_from(
        [SpanLimits(), SpanLimits(), SpanLimits(max_span_attributes=4), SpanLimits(max_span_attribute_length=5)]
    ),
    marker=st.booleans(),
    metrics=st.booleans(),
    dormant=st.sampled_from([False, False, True]),
    testing=st.booleans(),
    inside=st.sampled_from(["", "", "proxy", "mounted", "answering"]),
    outside=st.sampled_from(["", "", "proxy", "mounted"]),
    late=st.booleans(),
    propagator=st.sampled_from([None, None, OwnPropagator()]),
    response_propagator=st.sampled_from([None, TraceResponsePropagator()]),
    under_span=st.booleans(),
)


def compare(setup: Setup, requests: list[Environ]) -> None:
    for environ in requests:
        environ["wsgi.input"] = io.BytesIO()
    theirs, ours = told(setup, requests, ours=False), told(setup, requests, ours=True)
    for part, expected in theirs.items():
        assert ours[part] == expected, part


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(setups, st.lists(environs(), min_size=1, max_size=4))
def test_a_generated_set_of_requests_tells_the_same(setup: Setup, requests: list[Environ]) -> None:
    compare(setup, requests)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("opt_in", ["default", "http", "http/dup"])
def test_every_end_of_a_request_tells_the_same_by_each_convention(path: str, opt_in: str) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "HTTP_TRACEPARENT": TRACEPARENTS[0],
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
    compare(Setup(opt_in), [environ])


CAPTURED = {name: ".*cookie.*" if "SANITIZE" in name else ".*" for name in VARIABLES if "HEADERS" in name}
ALONE = {
    "excluded": Setup("http/dup", excluded_urls="items,/mounted"),
    "a response propagator": Setup(response_propagator=TraceResponsePropagator()),
    "a response propagator, nobody records": Setup(
        response_propagator=TraceResponsePropagator(), dormant=True, metrics=False
    ),
    "a response hook": Setup(response_hook=True),
    "a response hook, nobody records": Setup(response_hook=True, dormant=True, metrics=False),
    "a request hook": Setup(request_hook=True),
    "a request hook under another span": Setup(request_hook=True, under_span=True),
    "a request hook, nobody records": Setup(request_hook=True, dormant=True, metrics=False),
    "headers": Setup(variables=CAPTURED),
    "headers under another span": Setup(variables=CAPTURED, under_span=True),
    "metrics, nobody records spans": Setup("http/dup", dormant=True),
    "nobody records": Setup(dormant=True, metrics=False),
    "nobody records under another span": Setup(dormant=True, metrics=False, under_span=True),
    "no metrics": Setup(metrics=False),
    "a sampler that takes none": Setup(sampler=ALWAYS_OFF),
    "a sampler that chooses": Setup(sampler=Choosy()),
    "a sampler that chooses, nobody records": Setup(sampler=Choosy(), dormant=True),
    "a processor that changes spans": Setup(marker=True),
    "few attributes": Setup(limits=SpanLimits(max_span_attributes=4)),
    "no comments": Setup(commenter=False),
    "no controller in comments": Setup(commenter_options={"controller": False}),
    "no route and no framework in comments": Setup(commenter_options={"route": False, "framework": False}),
    "a proxy inside": Setup("http/dup", inside="proxy"),
    "a proxy outside": Setup("http/dup", outside="proxy"),
    "an application mounted inside": Setup("http/dup", inside="mounted"),
    "an application mounted outside": Setup("http/dup", outside="mounted"),
    "middleware that answers": Setup("http/dup", inside="answering"),
    "instrumented late": Setup(late=True),
    "errors that go on": Setup("http/dup", testing=True),
    "a propagator of its own": Setup(propagator=OwnPropagator()),
}


@pytest.mark.parametrize("what", ALONE)
def test_each_option_alone_tells_the_same(what: str) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "HTTP_X_OWN": "mine",
        "HTTP_X_CUSTOM_ONE": "value",
        "HTTP_X_FORWARDED_PROTO": "https",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
    paths = ("/", "/items/7", "/child", "/status/500", "/boom", "/orders/ann", "/nowhere", "/stream", "/mounted/deep/1")
    # By each of the two headers alone, and without: a request knows what the one before has asked for.
    origins: tuple[Environ, ...] = ({}, {"HTTP_TRACEPARENT": TRACEPARENTS[0]}, {"HTTP_BAGGAGE": "tenant=acme"})
    requests = [{**environ, **origins[number % 3], "PATH_INFO": path} for number, path in enumerate(paths)]
    compare(ALONE[what], requests)


def test_a_propagator_beside_the_w3c_s_is_asked_also_where_there_is_no_header_of_these() -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/child",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_X_OWN": "mine",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
    compare(
        Setup(propagator=CompositePropagator([TraceContextTextMapPropagator(), OwnPropagator()])),
        [environ, {**environ}],
    )
