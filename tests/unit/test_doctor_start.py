"""Which distribution the prefix command starts, by the rule that it has itself."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from otel_distro.doctor import start

OURS = "otel_distro"


def install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(
        start, "entry_points", lambda group: tuple(EntryPoint(name, f"{name}.package:Kind", group) for name in names)
    )


def test_ours_alone_is_well() -> None:
    (found,) = start.look({})
    assert (found.status, found.found) == ("ok", "opentelemetry-instrument starts otel_distro")


def test_one_that_is_found_first_is_one_fault_with_three_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "splunk", OURS)
    (found,) = start.look({})
    assert "starts the distribution splunk of splunk.package:Kind (found first)" in found.found
    assert found.mend == (
        "set OTEL_PYTHON_DISTRO and OTEL_PYTHON_CONFIGURATOR to otel_distro, start by otel-distro run, "
        "or uninstall splunk.package:Kind"
    )


@pytest.mark.parametrize("names", [("splunk", OURS), (OURS, "splunk")])
def test_ours_by_its_place_or_by_a_variable_chooses_our_configurator(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, *names)
    (found,) = start.look({"OTEL_PYTHON_DISTRO": OURS} if names[0] != OURS else {})
    assert (found.status, found.found.partition("; ")[2]) == ("ok", "splunk.package:Kind is installed beside it")


def test_another_configurator_by_a_variable_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, OURS, "splunk")
    (found,) = start.look({"OTEL_PYTHON_CONFIGURATOR": "splunk"})
    assert found.found.endswith(
        "starts the configurator splunk of splunk.package:Kind (OTEL_PYTHON_CONFIGURATOR=splunk)"
    )
    assert found.mend == "set OTEL_PYTHON_CONFIGURATOR=otel_distro"


@pytest.mark.parametrize("named", ["", "nonsense", " otel_distro"])
def test_a_name_that_nobody_has_is_none_as_it_is_for_opentelemetry(named: str) -> None:
    (found,) = start.look({"OTEL_PYTHON_DISTRO": named})
    assert found.found == f"OTEL_PYTHON_DISTRO={named!r} names no distribution that is installed"


def test_an_empty_name_of_a_configurator_is_as_none_where_our_distribution_starts() -> None:
    assert [found.status for found in start.look({"OTEL_PYTHON_CONFIGURATOR": " "})] == ["ok"]


def test_where_ours_is_not_installed_the_mend_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "splunk")
    assert {found.mend for found in start.look({})} == {"pip install otel-distro"}
