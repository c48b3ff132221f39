"""Findings as lines for a person and as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.cli import doctor
from otel_distro.cli.app import run
from otel_distro.cli.plain_text import width
from otel_distro.doctor.model import Check, Finding

FOUND = Finding("page", "fault", "localhost:9464 is taken by another program", "free the port or choose another one")


def given_findings(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    def checks() -> Iterator[Check]:
        yield Check("all", lambda: list(findings))

    monkeypatch.setattr(doctor, "checks", checks)


def test_in_a_pipe_a_finding_is_one_line_with_its_mend() -> None:
    assert list(doctor.lines(FOUND, 0)) == [f"fault    page: {FOUND.found}; {FOUND.mend}"]


def test_on_a_terminal_the_mend_stands_below_and_on_a_narrow_one_further_left() -> None:
    assert list(doctor.lines(FOUND, 80)) == [
        "fault    page: localhost:9464 is taken by another program",
        "         -> free the port or choose another one",
    ]
    assert list(doctor.lines(FOUND, 40)) == [
        "fault    page: localhost:9464 is taken",
        "  by another program",
        "  -> free the port or choose another one",
    ]


@given(st.text(), st.text(), st.integers(20, 200))
def test_no_line_is_wider_than_the_terminal_and_none_steers_it(found: str, mend: str, columns: int) -> None:
    for line in doctor.lines(Finding("check", "warning", found, mend), columns):
        assert width(line) <= columns
        assert line.isprintable() or not any(ord(character) < 32 for character in line)


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), st.integers(20, 40))
def test_no_letter_of_a_finding_is_lost_where_its_words_are_parted(found: str, columns: int) -> None:
    told = "".join(doctor.lines(Finding("check", "warning", found, "mend"), columns))
    assert told.replace(" ", "") == f"warningcheck:{found}->mend".replace(" ", "")


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warning", 0), ("fault", 1)])
def test_the_code_is_1_for_a_fault_alone_and_the_last_line_counts(
    status: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given_findings(monkeypatch, FOUND._replace(status=status))
    assert run(["doctor"]) == code
    numbers = {"ok": "0 faults, 0 warnings, 1 ok", "warning": "0 faults, 1 warning, 0 ok"}
    assert capsys.readouterr().out.splitlines()[-1] == numbers.get(status, "1 fault, 0 warnings, 0 ok")


def test_json_is_ascii_whatever_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    finding = FOUND._replace(found="\x1b[2J商店 \udc80")
    given_findings(monkeypatch, finding)
    assert run(["doctor", "--json"]) == 1
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "\x1b" not in shown
    assert json.loads(shown) == [finding._asdict()]
