"""The index templates on a real server, with documents made to break them: none makes a field, few can be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from otel_distro.analyzer.elastic_template import KEYWORD_FIELDS, log_template
from otel_distro.monitoring.texts.english_system import SYSTEM as ENGLISH
from tests.elastic import install, new_prefix
from tests.services.elasticsearch import Elasticsearch

GOOD: dict[str, Any] = {
    "@timestamp": "2025-03-02T00:20:00.123456Z",
    "level": "ERROR",
    "message": "m",
    "logger": "shop",
    "module": "orders",
    "function": "create",
    "line": 42,
    "user_id": "u",
    "log_id": "x",
    "tags": ["error"],
}
OBJECTS: dict[str, Any] = {"an object": {"a": 1}, "a list with an object": ["a", {"b": [1]}]}


def _nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def _with(**fields: Any) -> str:
    return json.dumps({**GOOD, **fields})


def _raw(fragment: str) -> str:
    return f"{json.dumps(GOOD)[:-1]},{fragment}}}"


TAKEN: dict[str, str] = {
    "5,000 fields": _with(**{f"field {n}": n for n in range(5_000)}),
    "10,000 fields in an object": _with(x={f"f{n}": n for n in range(10_000)}),
    "200 deep": _raw(f'"x":{_nested(200)}'),
    "990 deep": _raw(f'"x":{_nested(990)}'),
    "lists 900 deep": _raw(f'"x":{"[" * 900}1{"]" * 900}'),
    "a number where others have": _with(x=1),
    "a text": _with(x="a"),
    "an object": _with(x={"b": 1}),
    "a list of everything": _with(x=[1, "a", True, None, {"b": [1]}, [2]]),
    "a date that later is none": _with(when="2025-01-01"),
    "no date": _with(when="never"),
    "a time of words": _with(**{"@timestamp": "yesterday"}),
    "a time in seconds": _with(**{"@timestamp": 1740874800}),
    "a time in lists": _with(**{"@timestamp": [1, {"a": 2}]}),
    "a time that is an object": _with(**{"@timestamp": {"a": 1}}),
    "no time": json.dumps({name: value for name, value in GOOD.items() if name != "@timestamp"}),
    "the year 9999": _with(**{"@timestamp": "9999-12-31T23:59:59.999999Z"}),
    "the year 1900": _with(**{"@timestamp": "1900-01-01T00:00:00Z"}),
    "metadata below the top": _with(x={"_id": 1, "_source": {}, "": 1, ".": 2, "a..b": 3}),
    "a dot behind": _with(**{"a.": 1}),
    "a key and a dotted key": _with(**{"a": 1, "a.b": 2, "a.b.c": 3}),
    "a key of 100,000 characters": _with(**{"k" * 100_000: 1}),
    "keys of control characters": _with(**{"a\0b\n\x01": 1, '*?,"\\': 2, "用户😀\u202e": 3}),
    "lone surrogates": _raw('"\\ud800":"\\udfff"'),
    "a message of 10 MB": _with(message="a" * 10_000_000),
    "words of 10 MB": _with(message="word " * 2_000_000),
    "an extra of 10 MB": _with(x="a" * 10_000_000),
    "a user of 1 MB": _with(user_id="u" * 1_000_000),
    "a logger of 40 kB in four bytes each": _with(logger="😀" * 10_000),
    "binary": _with(message=bytes(range(256)).decode("latin-1"), user_id="\0"),
    "numbers for texts": _with(message=1, level=2, user_id=3.5, log_id=True, tags=4),
    "lists for texts": _with(message=["a", 1], level=["a", None], user_id=[[1], ["b"]], tags=[1, "a", [None]]),
    "nothing for everything": _with(**dict.fromkeys(GOOD)),
    "a line of words": _with(line="forty"),
    "a line beyond 32 bits": _with(line=10**30),
    "a line that is infinite": _raw('"y":1').replace('"line": 42', '"line": 1e400'),
    "a number of 900 digits": _raw(f'"x":{"9" * 900}'),
    "a number beyond floats": _raw('"x":1e400'),
    "10,000 tags": _with(tags=[f"t{n}" for n in range(10_000)]),
    "100,000 numbers": _with(x=list(range(100_000))),
    "names of mappings": _with(properties={"type": "nested"}, type="x", _meta={"a": 1}, dynamic="true"),
    "an empty document": "{}",
}
REFUSED: dict[str, str] = {
    **{
        name: _with(**{name: "x"})
        for name in (
            "_id", "_index", "_source", "_routing", "_version", "_seq_no", "_field_names", "_ignored", "_tier",
            "_doc_count", "_nested_path", "_data_stream_timestamp", "_ignored_source",
        )
    },
    **{f"key {key!r}": _with(**{key: 1}) for key in ("", " ", "\t", ".", "..", ".a", "a..b", " . ", "a. .b")},
    **{f"key {key!r}": _with(**{key: 1}) for key in ("level.foo", "message.x", "line.y", "tags.q")},
    **{
        f"{field} is {kind}": _with(**{field: value})
        for field in ("line", "message", *KEYWORD_FIELDS)
        for kind, value in OBJECTS.items()
    },
    "1,100 deep": _raw(f'"x":{_nested(1_100)}'),
    "a number of 1,100 digits": _raw(f'"x":{"9" * 1_100}'),
    "NaN": _raw('"x":NaN'),
    "the same key twice": _raw('"x":1,"x":2'),
    "no object": "[1]",
    "half a document": '{"a":',
}  # fmt: skip


@pytest.fixture(scope="module")
def index(elasticsearch_server: Elasticsearch) -> Iterator[str]:
    """Give an index of our template."""
    install(elasticsearch_server)
    name = f"{new_prefix()}-2025.03.02"
    elasticsearch_server.request("PUT", f"/{name}")
    yield name
    elasticsearch_server.delete(name)


def _fields(server: Elasticsearch, index: str) -> set[str]:
    return set(server.request("GET", f"/{index}/_mapping")[index]["mappings"]["properties"])


def _send(server: Elasticsearch, index: str, document: str) -> dict[str, Any]:
    answer = server.request("POST", f"/{index}/_bulk", '{"index":{}}\n' + document + "\n")
    item: dict[str, Any] = answer["items"][0]["index"]
    return item


@pytest.mark.parametrize("name", TAKEN)
def test_a_hostile_document_is_stored_whole_and_makes_no_field(
    elasticsearch_server: Elasticsearch, index: str, name: str
) -> None:
    item = _send(elasticsearch_server, index, TAKEN[name])
    assert item["status"] == 201, item.get("error")
    stored = elasticsearch_server.respond("GET", f"/{index}/_source/{item['_id']}")
    assert stored.text == TAKEN[name]
    assert _fields(elasticsearch_server, index) == set(log_template()["template"]["mappings"]["properties"])


@pytest.mark.parametrize("name", REFUSED)
def test_what_elasticsearch_itself_refuses_is_known(elasticsearch_server: Elasticsearch, index: str, name: str) -> None:
    """What the Collector must change before it sends; a version that takes one of these should take it off the list."""
    assert _send(elasticsearch_server, index, REFUSED[name])["status"] == 400


def test_our_own_fields_are_searchable_and_the_time_to_the_microsecond(
    elasticsearch_server: Elasticsearch, index: str
) -> None:
    identity = _send(elasticsearch_server, index, _with(user_id="only this one"))["_id"]
    elasticsearch_server.refresh(index)
    bounds = {"gte": "2025-03-02T00:20:00.123456Z", "lt": "2025-03-02T00:20:00.123457Z"}
    wanted = [{"term": {"user_id": "only this one"}}, {"term": {"tags": "error"}}, {"range": {"@timestamp": bounds}}]
    found = elasticsearch_server.request("POST", f"/{index}/_search", {"query": {"bool": {"filter": wanted}}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == [identity]


def test_of_a_field_of_ones_own_a_text_for_a_number_is_refused_as_the_runbook_says_and_a_number_for_a_text_is_not(
    elasticsearch_server: Elasticsearch,
) -> None:
    causes = ENGLISH["LogsRefusedByElasticsearch"].causes
    assert "a field that has another type than in the index: a text where there was a number" in causes
    index = f"{new_prefix()}-2025.03.02"
    own = {"amount": {"type": "long"}, "place": {"type": "keyword"}}
    elasticsearch_server.request("PUT", f"/{index}", {"mappings": {"properties": own}})
    try:
        assert _send(elasticsearch_server, index, _with(amount="much"))["status"] == 400
        assert _send(elasticsearch_server, index, _with(place=7))["status"] == 201
    finally:
        elasticsearch_server.delete(index)


def test_a_refused_record_has_a_place_as_text_that_no_question_counts(elasticsearch_server: Elasticsearch) -> None:
    install(elasticsearch_server)
    index = f"rejected-{new_prefix()}-2025.03.02"
    for name, text in REFUSED.items():
        record = {"@timestamp": "2025-03-02T00:20:00Z", "reason": name, "message": text}
        assert _send(elasticsearch_server, index, json.dumps(record))["status"] == 201
    assert _fields(elasticsearch_server, index) == {"@timestamp", "reason"}
    assert index not in elasticsearch_server.request("GET", "/python-app-*/_settings")
    elasticsearch_server.delete(index)
