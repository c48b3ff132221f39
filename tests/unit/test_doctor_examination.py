"""Checks that raise, last or hold a secret do no harm."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from otel_distro.doctor import examination
from otel_distro.doctor.examination import examine
from otel_distro.doctor.model import Check, Finding


def test_what_is_remote_comes_last_and_all_of_it_runs_at_one_time() -> None:
    together = threading.Barrier(2, timeout=60)

    def meet(name: str) -> list[Finding]:
        together.wait()
        return [Finding(name, "ok", "met")]

    checks = [
        Check("a", lambda: meet("a"), remote=True),
        Check("b", lambda: [Finding("b", "ok", "here")]),
        Check("c", lambda: meet("c"), remote=True),
    ]
    assert [found.check for found in examine(checks, lambda _: None)] == ["b", "a", "c"]


def test_a_check_that_raises_is_a_fault_that_tells_where_and_not_what() -> None:
    def fail() -> list[Finding]:
        raise KeyError("hidden")

    fault, after = examine([Check("a", fail), Check("b", lambda: [Finding("b", "ok", "")])], lambda _: None)
    assert fault.status == "fault"
    assert fault.found.startswith("the check itself failed: KeyError in test_doctor_examination.py, line ")
    assert "hidden" not in str(fault)
    assert after.check == "b"


def test_a_check_that_cannot_be_made_is_a_fault_and_those_before_it_are_looked_at() -> None:
    def checks() -> Iterator[Check]:
        yield Check("a", lambda: [Finding("a", "ok", "")], remote=True)
        raise ImportError("hidden")

    fault, before = examine(checks(), lambda _: None)
    assert (fault.check, fault.status, "ImportError" in fault.found) == ("checks", "fault", True)
    assert before.check == "a"


@pytest.mark.parametrize("remote", [False, True])
def test_a_check_without_an_end_is_a_fault_in_time_and_what_is_waited_for_is_told(
    remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("LOCAL_SECONDS", 0.3), ("REMOTE_SECONDS", 0.3), ("_SILENT_SECONDS", 0.1)):
        monkeypatch.setattr(examination, name, seconds)
    released, told = threading.Event(), list[str]()

    def hang() -> list[Finding]:
        released.wait(60)
        return []

    began = monotonic()
    try:
        checks = [Check(name, hang, remote, "look there") for name in ("a", "b")]
        found = list(examine(checks, told.append))
    finally:
        released.set()
    assert monotonic() - began < 30
    assert [(each.check, each.status, each.mend) for each in found] == [(n, "fault", "look there") for n in ("a", "b")]
    assert told[0].startswith("waiting for a, b, " if remote else "waiting for a, ")


def test_a_check_that_takes_its_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_SILENT_SECONDS", 0.01)
    for name in ("LOCAL_SECONDS", "REMOTE_SECONDS"):
        monkeypatch.setattr(examination, name, 60.0)
    for remote in (False, True):
        told = threading.Event()

        def late(told: threading.Event = told) -> list[Finding]:
            told.wait(60)
            return [Finding("a", "ok", "late")]

        (found,) = examine([Check("a", late, remote)], lambda _, told=told: told.set())  # type: ignore[misc]
        assert found.found == "late"


def test_checks_of_this_machine_share_their_time_and_each_has_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    given, clock = [], [0.0]

    def wait(_: object, seconds: float, __: object) -> None:
        given.append(seconds)
        clock[0] += 4

    monkeypatch.setattr(examination, "_wait", wait)
    monkeypatch.setattr(examination, "monotonic", lambda: clock[0])
    list(examine([Check("a", list) for _ in range(4)], lambda _: None))
    assert given == [examination.LOCAL_SECONDS, 2.0, 0.5, 0.5, examination.REMOTE_SECONDS]


def test_a_password_that_came_into_the_wrong_variable_is_masked() -> None:
    wrong = Finding("a", "fault", "X='http://me:hunter2@host' is no number", "password=hunter2")
    (found,) = examine([Check("a", lambda: [wrong])], lambda _: None)
    assert "hunter2" not in str(found)
