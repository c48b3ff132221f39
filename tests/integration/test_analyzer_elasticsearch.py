"""The Elasticsearch store on a real server: whole results, hostile documents, one sentence for every failure."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from otel_distro.analyzer import elastic_session
from otel_distro.analyzer.analyzer import LogAnalyzer
from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_dsl import FIELD_TYPES
from otel_distro.analyzer.elastic_setup import install as set_up_with
from otel_distro.analyzer.elastic_template import templates
from otel_distro.analyzer.elasticsearch import ElasticsearchStore
from otel_distro.errors import StoreError
from tests.certificates import Certificates
from tests.elastic import install, load, new_prefix, open_points_in_time
from tests.log_oracle import NOW, log_document
from tests.services.elasticsearch import Elasticsearch

MOMENT = NOW - timedelta(minutes=10)
SECRET = "s3cret-value"  # noqa: S105 -- it must not be shown
ASK: dict[str, Callable[[LogAnalyzer], Any]] = {
    "errors": lambda analyzer: analyzer.search_errors(),
    "rate": lambda analyzer: analyzer.get_error_rate(),
    "user": lambda analyzer: analyzer.search_by_user("u"),
    "top": lambda analyzer: analyzer.top_errors(),
    "extent": lambda analyzer: analyzer.extent(),
}


@pytest.fixture
def prefix(elasticsearch_server: Elasticsearch) -> Iterator[str]:
    """Give names of indices that are this test's own, under our template."""
    install(elasticsearch_server)
    name = new_prefix()
    yield name
    elasticsearch_server.delete(f"{name}-*")


def _analyzer(server: Elasticsearch, prefix: str, **arguments: Any) -> LogAnalyzer:
    return LogAnalyzer(server.url, index=f"{prefix}-*", now=lambda: NOW, **arguments)


def _sentence(analyzer: LogAnalyzer, question: str = "errors") -> str:
    with pytest.raises(StoreError) as caught:
        ASK[question](analyzer)
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    return text


def test_a_result_of_25_000_documents_comes_whole_in_order_and_leaves_nothing_open(
    elasticsearch_server: Elasticsearch, prefix: str
) -> None:
    documents = [log_document(NOW - timedelta(milliseconds=1 + n // 3), n, user_id="u") for n in range(25_000)]
    load(elasticsearch_server, prefix, documents)
    found = _analyzer(elasticsearch_server, prefix).search_by_user("u")
    assert found == sorted(documents, key=lambda one: (one["timestamp"], one["log_id"]), reverse=True)
    assert open_points_in_time(elasticsearch_server) == 0


def test_a_result_that_is_left_early_leaves_nothing_open(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    load(elasticsearch_server, prefix, [log_document(MOMENT, n, user_id="u") for n in range(500)])
    iterator = _analyzer(elasticsearch_server, prefix).iter_by_user("u")
    next(iterator)
    assert open_points_in_time(elasticsearch_server) > 0
    iterator.close()  # type: ignore[attr-defined]
    assert open_points_in_time(elasticsearch_server) == 0


def test_what_is_written_while_a_result_is_read_does_not_change_it(
    elasticsearch_server: Elasticsearch, prefix: str
) -> None:
    documents = [log_document(MOMENT, n, user_id="u") for n in range(1_000)]
    load(elasticsearch_server, prefix, documents)
    iterator = _analyzer(elasticsearch_server, prefix).iter_by_user("u")
    found = [next(iterator)]
    load(elasticsearch_server, prefix, [log_document(MOMENT, n, user_id="u") for n in range(500, 1_500)])
    assert len(found) + len(list(iterator)) == 1_000


def test_large_documents_are_asked_for_in_small_pages(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    documents = [log_document(MOMENT + timedelta(seconds=n), n, user_id="u", message="m" * 300_000) for n in range(150)]
    load(elasticsearch_server, prefix, documents)
    sizes: list[int] = []
    store = ElasticsearchStore(Address.of(elasticsearch_server.url), f"{prefix}-*")
    search = store._session.search
    store._session.search = lambda **body: sizes.append(body["size"]) or search(**body)  # type: ignore[method-assign, func-returns-value]
    assert LogAnalyzer(store=store, now=lambda: NOW).search_by_user("u") == documents[::-1]
    assert sizes[0] == 100
    assert max(sizes[1:]) < 20


def test_ten_years_of_hours_are_answered_in_parts(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    documents = [log_document(NOW - timedelta(days=365 * year, hours=1), year) for year in range(10)]
    load(elasticsearch_server, prefix, documents)
    rate = _analyzer(elasticsearch_server, prefix).get_error_rate(hours=24 * 365 * 80)
    assert rate["total"] == 10
    assert sum(row["total"] for row in rate["hourly"]) == 10


def test_more_groups_than_a_page_are_ranked_exactly(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    documents = [
        log_document(MOMENT + timedelta(microseconds=n), n, level="ERROR", line=n % 1_300) for n in range(3_000)
    ]
    load(elasticsearch_server, prefix, documents)
    groups = _analyzer(elasticsearch_server, prefix).top_errors(size=1_300)
    assert [(group["count"], group["line"]) for group in groups] == [
        (3 if line < 400 else 2, line) for line in [*range(399, -1, -1), *range(1_299, 399, -1)]
    ]
    assert groups[0]["message"] == "message 2999"
    assert open_points_in_time(elasticsearch_server) == 0


@pytest.mark.parametrize("timestamp", [None, "", "yesterday", 1740870000, {"a": 1}, True, "9999-12-31T23:59:59Z"])
def test_a_document_whose_time_cannot_be_read_is_skipped_and_counted(
    elasticsearch_server: Elasticsearch, prefix: str, timestamp: object
) -> None:
    good, bad = log_document(MOMENT, 1, level="ERROR", user_id="u"), log_document(MOMENT, 2, level="ERROR", user_id="u")
    load(elasticsearch_server, prefix, [good, {**bad, "timestamp": timestamp}])
    analyzer = _analyzer(elasticsearch_server, prefix)
    assert analyzer.search_errors() == [good]
    for question in ("errors", "rate", "user", "top"):
        ASK[question](analyzer)
        assert analyzer.skipped == 1
    assert analyzer.extent().startswith("2 documents of ")


def test_a_document_nested_deeper_than_python_goes_is_skipped_and_counted(
    elasticsearch_server: Elasticsearch, prefix: str
) -> None:
    good = log_document(MOMENT, 1, level="ERROR")
    load(elasticsearch_server, prefix, [good])
    deep = '{"@timestamp":"%s","level":"ERROR","x":%s}' % (good["timestamp"], '{"a":' * 995 + "1" + "}" * 995)  # noqa: UP031 -- braces
    elasticsearch_server.request("POST", f"/{prefix}-deep/_bulk?refresh=true", '{"index":{}}\n' + deep + "\n")
    analyzer = _analyzer(elasticsearch_server, prefix)
    assert analyzer.search_errors() == [good]
    assert analyzer.skipped == 1


def test_a_forked_child_asks_over_connections_of_its_own(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    load(elasticsearch_server, prefix, [log_document(MOMENT, n, level="ERROR") for n in range(7)])
    analyzer = _analyzer(elasticsearch_server, prefix)
    assert len(analyzer.search_errors()) == 7
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            code = len(analyzer.search_errors())
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(analyzer.search_errors()) == 7


def test_several_threads_may_ask_one_analyzer(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    load(elasticsearch_server, prefix, [log_document(MOMENT, n, user_id=f"u{n % 4}") for n in range(400)])
    analyzer, found = _analyzer(elasticsearch_server, prefix), {}

    def ask(number: int) -> None:
        found[number] = {document["user_id"] for document in analyzer.search_by_user(f"u{number}")}

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: {f"u{number}"} for number in range(4)}


# ---- one sentence for every failure


@pytest.mark.parametrize("question", ASK)
def test_no_server_is_said_with_the_address(question: str) -> None:
    analyzer = LogAnalyzer(f"http://ann:{SECRET}@127.0.0.1:1")
    assert _sentence(analyzer, question) == (
        "no Elasticsearch can be reached at http://127.0.0.1:1 (Connection refused); start it or give another address"
    )


@pytest.mark.parametrize("question", ASK)
@pytest.mark.parametrize("index", ["python-app-none-*", "python-app-none"])
def test_no_such_index_is_said_with_its_name(elasticsearch_server: Elasticsearch, index: str, question: str) -> None:
    text = _sentence(LogAnalyzer(elasticsearch_server.url, index=index), question)
    assert text.startswith(f"no index matches {index} at {elasticsearch_server.url}; ")
    assert "otel-distro elasticsearch setup" in text


@pytest.mark.parametrize("question", ASK)
def test_an_index_made_without_the_template_is_named_and_so_is_the_mend(
    elasticsearch_server: Elasticsearch, question: str
) -> None:
    index = f"plain-{new_prefix()}"
    document = {"@timestamp": "2025-03-02T00:20:00Z", "level": "ERROR"}
    elasticsearch_server.request("POST", f"/{index}/_doc?refresh=true", document)
    text = _sentence(LogAnalyzer(elasticsearch_server.url, index=index), question)
    elasticsearch_server.delete(index)
    assert f"index {index} at {elasticsearch_server.url} was made without the template" in text
    assert "run `otel-distro elasticsearch setup`" in text


@pytest.mark.parametrize("question", ASK)
def test_a_shard_that_cannot_answer_makes_no_half_answer(
    elasticsearch_server: Elasticsearch, prefix: str, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elastic_session, "NEW_INDEX", 0.3)
    load(elasticsearch_server, prefix, [log_document(MOMENT, 1, level="ERROR")])
    nowhere = {"settings": {"index.routing.allocation.require._name": "none"}}
    elasticsearch_server.request("PUT", f"/{prefix}-lost?wait_for_active_shards=0", nowhere)
    assert prefix in _sentence(_analyzer(elasticsearch_server, prefix), question)


def test_indices_that_are_made_meanwhile_as_at_midnight_fail_no_question(
    elasticsearch_server: Elasticsearch, prefix: str
) -> None:
    load(elasticsearch_server, prefix, [log_document(MOMENT, 1, level="ERROR", user_id="u")])
    ended = threading.Event()

    def make() -> None:
        for number in range(30):
            elasticsearch_server.request("PUT", f"/{prefix}-{number}?wait_for_active_shards=0")
        ended.set()

    maker = threading.Thread(target=make)
    maker.start()
    analyzer = _analyzer(elasticsearch_server, prefix)
    while not ended.is_set():
        assert [len(ASK[question](analyzer)) for question in ("errors", "user", "top")] == [1, 1, 1]
    maker.join()


def test_a_question_that_ran_out_of_time_is_not_put_to_the_busy_server_again() -> None:
    asked: list[Any] = []

    def request(client: Any) -> Any:
        asked.append(client)
        return SimpleNamespace(body={"timed_out": True})

    session = elastic_session.Session(Address("http://127.0.0.1:1"), "python-app-*")
    with pytest.raises(StoreError, match="has answered in part"):
        session.ask(request)
    session.close()
    assert len(asked) == 1


@pytest.mark.parametrize("lacking", [{"_shards": {"total": 5, "failed": 1}}, {"timed_out": True}])
def test_an_answer_that_says_it_is_partial_is_none(lacking: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic_session, "NEW_INDEX", 0.3)
    fields: dict[str, Any] = {field: {kind: {}} for field, kind in FIELD_TYPES.items()}
    whole = {"indices": ["i"], "fields": fields, "count": 0, "id": "p"}
    with _answering(json.dumps({**whole, **lacking}).encode()) as url:
        assert _sentence(LogAnalyzer(url)).startswith(f"{url} has answered in part (")


@pytest.mark.parametrize(
    "answer", [b"<html>hello</html>", b"", b"[]", b'"x"', b"{}", b'{"indices":1}', b'{"indices":[],"fields":[]}']
)
def test_what_is_no_elasticsearch_is_said(answer: bytes) -> None:
    for product in ("Elasticsearch", None):
        with _answering(answer, product) as url:
            assert _sentence(LogAnalyzer(url)).startswith(f"what answers at {url} is no Elasticsearch")


def test_a_server_that_hangs_is_given_up_after_the_time_that_is_said(elasticsearch_server: Elasticsearch) -> None:
    store = ElasticsearchStore(Address(elasticsearch_server.url, timeout=0.5), "python-app-*")
    elasticsearch_server.pause()
    try:
        text = _sentence(LogAnalyzer(store=store))
    finally:
        elasticsearch_server.resume()
    assert text.startswith(f"{elasticsearch_server.url} has not answered within 0.5 s; ")


@pytest.fixture(scope="module")
def authority(known_certificates: Certificates) -> Certificates:
    return known_certificates


@pytest.fixture(scope="module")
def secured(secured_elasticsearch: Elasticsearch) -> Elasticsearch:
    install(secured_elasticsearch)
    load(secured_elasticsearch, "python-app", [log_document(MOMENT, 1, level="ERROR")])
    load(secured_elasticsearch, "python-app-other", [log_document(MOMENT, 2, level="ERROR")])
    return secured_elasticsearch


def _secured(server: Elasticsearch, authority: Certificates, **arguments: Any) -> LogAnalyzer:
    ca_certs = authority.authority.certificate
    return LogAnalyzer(server.url, **{"ca_certs": ca_certs, "now": lambda: NOW, **arguments})


def test_a_key_with_the_least_rights_that_the_readme_names_is_enough(
    secured: Elasticsearch, authority: Certificates
) -> None:
    rights = {"reader": {"index": [{"names": ["python-app-*"], "privileges": ["read", "view_index_metadata"]}]}}
    with _secured(secured, authority, api_key=secured.create_api_key("reader", rights).encoded) as analyzer:
        for ask in ASK.values():
            ask(analyzer)
        assert len(analyzer.search_errors()) == 2


def test_a_key_of_other_indices_is_told_what_it_may_not(secured: Elasticsearch, authority: Certificates) -> None:
    rights = {"other": {"index": [{"names": ["other-*"], "privileges": ["read", "view_index_metadata"]}]}}
    key = secured.create_api_key("other", rights).encoded
    text = _sentence(_secured(secured, authority, api_key=key, index="python-app-2025.03.02"))
    assert text.startswith(f"the api_key may not do this with python-app-2025.03.02 at {secured.url}: ")


def test_the_setup_needs_one_right_and_says_when_it_is_missing(secured: Elasticsearch, authority: Certificates) -> None:
    def set_up(rights: dict[str, Any]) -> list[tuple[str, str]]:
        key = secured.create_api_key("setup", {"setup": rights}).encoded
        address = Address.of(secured.url, api_key=key, ca_certs=authority.authority.certificate)
        return list(set_up_with(address, templates()))

    assert [name for name, _ in set_up({"cluster": ["manage_index_templates"]})] == [*templates()]
    with pytest.raises(StoreError, match="the api_key may not do this with python-app"):
        set_up({"cluster": ["monitor"]})


def test_a_password_opens_over_the_private_authority(secured: Elasticsearch, authority: Certificates) -> None:
    with _secured(secured, authority, basic_auth=("elastic", secured.password)) as analyzer:
        assert len(analyzer.search_errors()) == 2
        assert analyzer.get_error_rate()["errors"] == 2
        assert len(analyzer.top_errors()) == 1
        assert analyzer.extent() == "2 documents of 4 indices"


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        ({}, "refuses a question without credentials"),
        ({"api_key": "eHh4Onl5eQ=="}, "refuses the api_key"),
        ({"basic_auth": ("ann", SECRET)}, "refuses the name 'ann' with its password"),
    ],
)
def test_wrong_credentials_are_said_and_not_shown(
    secured: Elasticsearch, authority: Certificates, credentials: dict[str, Any], said: str
) -> None:
    assert said in _sentence(_secured(secured, authority, **credentials))


def test_a_certificate_of_an_authority_that_is_not_known_is_said(
    secured: Elasticsearch, authority: Certificates
) -> None:
    for ca_certs in (None, authority.other_authority.certificate):
        text = _sentence(_secured(secured, authority, api_key=SECRET, ca_certs=ca_certs))
        assert text.startswith(f"{secured.url} cannot be spoken to by TLS (")
        assert "ca_certs" in text


@contextmanager
def _answering(answer: bytes, product: str | None = "Elasticsearch") -> Iterator[str]:
    """Give the URL of a server that answers every request with the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            if product:
                self.send_header("X-Elastic-Product", product)
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_DELETE = do_GET  # noqa: N815 -- http.server's names

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
