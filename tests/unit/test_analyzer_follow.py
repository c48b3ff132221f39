"""Which documents of a file a live tail shows."""

from __future__ import annotations

from typing import Any

import pytest

from otel_distro.analyzer.follow import holds


@pytest.mark.parametrize("value", ["ERROR", "CRITICAL", ["INFO", "ERROR"], [["ERROR"]]])
def test_a_document_with_one_of_the_texts_is_shown(value: Any) -> None:
    assert holds({"level": value}, (("level", ("ERROR", "CRITICAL")),))


@pytest.mark.parametrize("value", ["error", "ERRORS", None, True, 5, ["INFO", None], {"ERROR": 1}])
def test_any_other_value_is_not(value: Any) -> None:
    assert not holds({"level": value}, (("level", ("ERROR", "CRITICAL")),))


def test_a_number_counts_as_its_text_and_every_pair_must_hold() -> None:
    where = (("user_id", ("42",)), ("level", ("INFO",)))
    assert holds({"user_id": 42, "level": "INFO"}, where)
    assert not holds({"user_id": 42, "level": "ERROR"}, where)
    assert holds({}, ())
    assert not holds({"user_id": None}, (("user_id", ("None",)),))
    assert not holds({"user_id": True}, (("user_id", ("True",)),))
