"""The index templates as values; what the real server makes of them is in tests/integration."""

from __future__ import annotations

import pytest

from otel_distro.analyzer.elastic_dsl import FIELD_TYPES
from otel_distro.analyzer.elastic_template import KEYWORD_FIELDS, log_template, rejected_template, templates
from otel_distro.errors import InputError
from otel_distro.logs.fields import FIELDS


def test_every_field_of_the_log_document_is_mapped_and_nothing_else() -> None:
    mapped = set(log_template()["template"]["mappings"]["properties"])
    assert mapped == set(FIELDS) - {"timestamp"} | {"@timestamp"}
    assert set(KEYWORD_FIELDS) <= mapped


def test_the_fields_that_questions_need_have_the_types_that_they_need() -> None:
    properties = log_template()["template"]["mappings"]["properties"]
    assert {field: properties[field]["type"] for field in FIELD_TYPES} == FIELD_TYPES


def test_no_field_is_made_by_a_document() -> None:
    for template in (log_template(), rejected_template()):
        assert template["template"]["mappings"]["dynamic"] is False


def test_copies_are_made_where_there_is_a_second_node_unless_a_number_is_given() -> None:
    assert log_template()["template"]["settings"] == {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}}
    assert rejected_template(replicas=0, shards=3)["template"]["settings"] == {
        "index": {"number_of_shards": 3, "number_of_replicas": 0}
    }


def test_rejected_records_lie_outside_of_the_pattern_of_the_logs() -> None:
    assert {name: template["index_patterns"] for name, template in templates("shop").items()} == {
        "shop": ["shop-*"],
        "rejected-shop": ["rejected-shop-*"],
    }


@pytest.mark.parametrize(
    "prefix",
    ["", "Shop", "-shop", "_x", "+x", ".x", "a b", "a/b", "a*", "a,b", "a:b", "a#", 'a"', "a\n", "a\x01", "a\udcff"],
)
def test_a_prefix_that_no_index_may_have_is_refused(prefix: str) -> None:
    with pytest.raises(InputError) as caught:
        templates(prefix)
    assert repr(prefix) in str(caught.value)


@pytest.mark.parametrize(("replicas", "shards"), [(-1, 1), (0, 0), (0, 1025)])
def test_numbers_that_are_none_of_copies_or_shards_are_refused(replicas: int, shards: int) -> None:
    with pytest.raises(InputError, match=r"replicas=-1|shards="):
        templates(replicas=replicas, shards=shards)
