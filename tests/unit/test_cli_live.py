"""Rows for ever: what ends them, and when what was printed is written out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from otel_distro.cli.live import live


def test_without_follow_the_first_pause_is_the_end() -> None:
    assert list(live(iter([1, 2, None, 3]), follow=False)) == [1, 2]


def test_with_follow_pauses_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        assert list(live(iter([1, None, 2, None, None, 3]), follow=True)) == [1, 2, 3]


def test_a_pause_writes_out_what_was_printed_and_finds_a_reader_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    seen: list[bytes] = []

    def rows() -> Iterator[str | None]:
        yield "row"
        yield None
        seen.append(os.read(reading, 100))
        os.close(reading)
        yield None

    with os.fdopen(writing, "w", encoding="utf-8") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(BrokenPipeError):
            for row in live(rows(), follow=True):
                print(row)
    assert seen == [b"row\n"]
