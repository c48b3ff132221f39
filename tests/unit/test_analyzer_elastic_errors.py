"""What an answer lacks, in one sentence; the failures of real servers are in tests/integration."""

from __future__ import annotations

from typing import Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError, NotFoundError

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_errors import partial, sentence

ADDRESS = Address("http://es:9200")


def _sentence(kind: type[ApiError], status: int, body: Any, **headers: str) -> str:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(headers), 0.1, NodeConfig("http", "es", 9200))
    return sentence(kind("message", meta, body), ADDRESS, "python-app-*")


@pytest.mark.parametrize("answer", [{}, {"timed_out": False}, {"_shards": {"total": 3, "failed": 0, "skipped": 1}}])
def test_a_whole_answer_lacks_nothing(answer: dict[str, Any]) -> None:
    assert partial(answer, ADDRESS, "i") is None


def test_a_partial_answer_names_the_shards_the_index_and_the_mend() -> None:
    text = partial({"_shards": {"total": 3, "failed": 2}}, ADDRESS, "python-app-*")
    assert text == (
        "http://es:9200 has answered in part (2 of 3 shards of python-app-* failed); "
        "look at the cluster's health and ask again"
    )


def test_a_reader_who_takes_too_long_is_told_so() -> None:
    body = {"error": {"type": "search_phase_execution_exception", "root_cause": [{"type": "search_context_missing"}]}}
    assert "ask again and take the answers faster" in _sentence(NotFoundError, 404, body)


@pytest.mark.parametrize(
    "body", [None, "text", {}, {"error": "text"}, {"error": {"root_cause": [{}]}}, {"error": {}}, []]
)
def test_an_error_of_any_shape_is_one_short_line(body: Any) -> None:
    for kind, status in ((ApiError, 500), (NotFoundError, 404)):
        text = _sentence(kind, status, body)
        assert text.startswith("http://es:9200 ")
        assert "\n" not in text


def test_what_the_server_says_is_cut() -> None:
    body = {"error": {"root_cause": [{"reason": "line\nbreak " + "x" * 10_000}]}}
    text = _sentence(ApiError, 400, body)
    assert "line break xxx" in text
    assert len(text) < 450


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://me:hidden@login.internal:8443/?next=hidden", "https://login.internal:8443"),
        ("/app/hidden", "another path"),
        ("", "another path"),
    ],
)
def test_a_redirection_says_where_it_leads_and_nothing_secret_of_it(location: str, told: str) -> None:
    said = f"http://es:9200 sends on to {told} (302); give the address of an Elasticsearch itself"
    assert _sentence(ApiError, 302, "", location=location) == said


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "Bad Gateway"),
        ({"error": "no upstream", "_size_in_bytes": 23}, "no upstream"),
        ({"detail": "x", "_size_in_bytes": 14}, "{'detail': 'x'}"),
        ({"_size_in_bytes": 2}, "Bad Gateway"),
    ],
)
def test_an_answer_without_a_reason_is_told_as_it_is_or_by_its_status(body: Any, reason: str) -> None:
    assert _sentence(ApiError, 502, body) == f"http://es:9200 refuses what is asked of python-app-* (502): {reason}"
