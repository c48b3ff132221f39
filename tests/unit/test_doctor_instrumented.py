"""Instrumentations in force, and those left out."""

from __future__ import annotations

import re
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from otel_distro.doctor import instrumented
from otel_distro.settings import Settings


def test_flask_and_what_is_in_force_are_told() -> None:
    *_, flask, others = instrumented.look(Settings.from_environ({}))
    assert flask.found.startswith(f"Flask {version('flask')}")
    assert (others.status, "flask" in others.found) == ("ok", True)


@pytest.mark.parametrize("off", ["flask", "*", "logging,flask"])
def test_flask_that_is_switched_off_is_a_warning(off: str) -> None:
    *_, flask, _ = instrumented.look(Settings.from_environ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": off}))
    assert flask.status == "warning"
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS has" in flask.found


def test_where_all_are_switched_off_none_is_in_force() -> None:
    *_, others = instrumented.look(Settings.from_environ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}))
    assert (others.status, others.found) == ("ok", "in force: none")


def test_one_that_fits_none_of_its_libraries_is_named_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [f'{name}>=99; extra == "instruments-any"' for name in ("click", "werkzeug")]
    tool = SimpleNamespace(name="tool", dist=SimpleNamespace(requires=wanted))
    monkeypatch.setattr(instrumented, "entry_points", lambda _: [tool])
    *_, left_out = instrumented.look(Settings.from_environ({}))
    there = r"click \d\S+, werkzeug \d\S+"
    said = rf"tool is left out: it is made for click>=99 or werkzeug>=99, and here is {there}"
    assert (left_out.status, bool(re.fullmatch(said, left_out.found))) == ("warning", True), left_out


@pytest.mark.parametrize(("off", "mend"), [("Flask", "is flask meant?"), ("nothing", "take it out of that list")])
def test_a_name_to_leave_out_that_is_none_is_a_warning(off: str, mend: str) -> None:
    *_, unknown, _ = instrumented.look(Settings.from_environ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": off}))
    assert (unknown.status, unknown.mend) == ("warning", mend)
    assert unknown.found.endswith(f"has {off!r}, which is no instrumentation that is installed")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("flask>=99", "is not what this package is made for"),
        ("no-such-flask", "none of Flask, Starlette and Django is installed"),
    ],
)
def test_flask_of_another_version_or_none_is_a_warning(wanted: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrumented, "_wanted", lambda: wanted)
    *_, flask, _ = instrumented.look(Settings.from_environ({}))
    assert (flask.status, said in flask.found) == ("warning", True)


@pytest.mark.parametrize(("off", "status"), [("", "ok"), ("flask", "ok"), ("asgi", "warning"), ("*", "warning")])
def test_frameworks_of_asgi_are_told_with_their_versions(off: str, status: str) -> None:
    asgi, *_ = instrumented.look(Settings.from_environ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": off}))
    assert (asgi.check, asgi.status) == ("asgi", status)
    assert re.search(r"Starlette \d\S+ and FastAPI \d", asgi.found)


@pytest.mark.parametrize(
    ("there", "named"),
    [
        (["Starlette"], ["asgi"]),
        (["Django"], ["django"]),
        (["Flask"], ["flask"]),
        (["Starlette", "Flask"], ["asgi", "flask"]),
        ([], ["flask"]),
    ],
)
def test_a_framework_that_is_not_there_is_a_warning_only_where_no_other_is(
    there: list[str], named: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instrumented, "_version", lambda name: "1.2" if name in there else "")
    found = instrumented.look(Settings.from_environ({}))
    assert [each.check for each in found if each.check != "instrumentations"] == named


def test_what_the_package_itself_asks_of_flask_is_asked() -> None:
    assert instrumented._wanted().startswith("flask>=2")


@pytest.mark.parametrize(("requirement", "number"), [("click>=99", 1), ("no-such-library>=1", 0)])
def test_one_that_does_not_fit_its_library_is_named_and_one_without_its_library_is_not(
    requirement: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist = SimpleNamespace(requires=[f'{requirement}; extra == "instruments"'])
    monkeypatch.setattr(instrumented, "entry_points", lambda _: [SimpleNamespace(name="tool", dist=dist)])
    left_out = [each for each in instrumented.look(Settings.from_environ({})) if each.status == "warning"]
    assert len(left_out) == number
    assert all("tool is left out: it is made for click>=99, and here is click 8" in each.found for each in left_out)
