"""A real Elasticsearch starts here, keeps what it acknowledged over kills, and wants credentials where told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.elasticsearch import Elasticsearch
from tests.services.elasticsearch_client import Client
from tests.services.errors import ServiceError


def store(server: Elasticsearch, index: str, numbers: range) -> None:
    lines = "".join(f'{{"index": {{"_id": "{number}"}}}}\n{{"number": {number}}}\n' for number in numbers)
    assert server.request("POST", f"/{index}/_bulk", lines)["errors"] is False


def test_every_stored_document_is_read_back_over_several_pages(elasticsearch_server: Elasticsearch) -> None:
    store(elasticsearch_server, "services-read-1", range(1500))
    store(elasticsearch_server, "services-read-2", range(1500, 2100))
    assert elasticsearch_server.count("services-read-*") == 2100
    found = elasticsearch_server.documents("services-read-*")
    assert sorted(document.source["number"] for document in found) == list(range(2100))
    assert all(document.id == str(document.source["number"]) for document in found)
    assert {document.index for document in found} == {"services-read-1", "services-read-2"}


def test_an_index_that_is_not_there_holds_nothing(elasticsearch_server: Elasticsearch) -> None:
    assert elasticsearch_server.count("services-none") == 0
    assert elasticsearch_server.documents("services-none-*") == []


def test_deleted_indices_are_gone_and_others_stay(elasticsearch_server: Elasticsearch) -> None:
    store(elasticsearch_server, "services-gone", range(1))
    store(elasticsearch_server, "services-kept", range(1))
    elasticsearch_server.delete("services-gone*")
    assert (elasticsearch_server.count("services-gone"), elasticsearch_server.count("services-kept")) == (0, 1)


def test_a_refused_request_fails_with_the_servers_words(elasticsearch_server: Elasticsearch) -> None:
    with pytest.raises(AssertionError, match=r"404.*index_not_found_exception"):
        elasticsearch_server.request("GET", "/services-none/_doc/1")


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_what_was_acknowledged_is_there_again_after_an_end_on_the_same_port(
    elasticsearch_server: Elasticsearch, ending: str
) -> None:
    server = elasticsearch_server
    index, url = f"services-{ending}", server.url
    store(server, index, range(100))
    server.kill() if ending == "kill" else server.stop()
    assert not server.running
    with pytest.raises(OSError, match="refused"):
        server.respond("GET", "/_cluster/health")
    assert ("] closed" in server.log.splitlines()[-1]) == (ending == "stop")  # in order, or in the middle of something
    server.start()
    assert server.url == url
    assert server.count(index) == 100


def test_a_paused_server_takes_no_answer_and_goes_on_afterwards(elasticsearch_server: Elasticsearch) -> None:
    elasticsearch_server.pause()
    try:
        with pytest.raises(TimeoutError):
            elasticsearch_server.respond("GET", "/_cluster/health", seconds=0.5)
    finally:
        elasticsearch_server.resume()
    assert elasticsearch_server.request("GET", "/_cluster/health")["status"] in ("green", "yellow")


def test_a_server_that_cannot_start_says_why(elasticsearch_home: Path) -> None:
    broken = Elasticsearch(elasticsearch_home, settings={"no.such.setting": "1"})
    with pytest.raises(ServiceError, match=r"(?s)ended with status.*unknown setting \[no.such.setting\]"), broken:
        pass
    assert not broken.folder().exists()


def test_with_security_only_the_password_over_the_private_authority_opens(secured_elasticsearch: Elasticsearch) -> None:
    store(secured_elasticsearch, "services-secured", range(3))
    assert secured_elasticsearch.count("services-secured") == 3
    assert secured_elasticsearch.url.startswith("https://")
    assert secured_elasticsearch.respond("GET", "/services-secured/_count", authorization="").status == 401
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        Client(secured_elasticsearch.url).respond("GET", "/services-secured/_count")


def test_an_api_key_opens_until_it_is_invalidated_and_no_more_than_it_says(
    secured_elasticsearch: Elasticsearch,
) -> None:
    store(secured_elasticsearch, "services-key-open", range(2))
    store(secured_elasticsearch, "services-key-shut", range(2))
    rights = {"reader": {"indices": [{"names": ["services-key-open"], "privileges": ["read"]}]}}
    key = secured_elasticsearch.create_api_key("reader", rights)
    header = f"ApiKey {key.encoded}"

    def status(index: str) -> int:
        return secured_elasticsearch.respond("GET", f"/{index}/_count", authorization=header).status

    assert (status("services-key-open"), status("services-key-shut")) == (200, 403)
    secured_elasticsearch.invalidate_api_key(key)
    assert status("services-key-open") == 401
