"""The generated files: valid YAML, one service alone where one is named, numbers from the objectives, one pace."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from otel_distro.errors import InputError
from otel_distro.monitoring.files import generated, write
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import Parameters

SERVICE_FILES = ("requests", "budgets", "business", "telemetry", "targets")


def rules(files: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    documents = {name: yaml.safe_load(text) for name, text in files.items() if name.endswith(".yml")}
    return [
        (name, rule) for name, document in documents.items() for group in document["groups"] for rule in group["rules"]
    ]


def expression(files: dict[str, str], name: str) -> str:
    return next(str(rule["expr"]) for _, rule in rules(files) if name in (rule.get("alert"), rule.get("record")))


def test_every_alert_has_severity_summary_description_and_runbook() -> None:
    alerts = [rule for _, rule in rules(generated(Parameters())) if "alert" in rule]
    assert len(alerts) == 25
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}


def test_every_expression_parses() -> None:
    for _, rule in rules(generated(Parameters("shop"))):
        promql_parser.parse(rule["expr"])


def test_with_a_service_every_selector_of_its_files_is_of_that_job() -> None:
    for name, rule in rules(generated(Parameters("shop"))):
        if not name.endswith(tuple(f"/{file}.yml" for file in SERVICE_FILES)):
            continue
        series = re.findall(
            r"\b(?:job\w*:[\w:]+|[a-z]\w+_(?:total|bucket|count|seconds)|up)\b(\{[^}]*\})?", rule["expr"]
        )
        outside = [found for found in series if 'job="shop"' not in found]
        assert series, rule
        assert not outside, rule


def test_without_a_service_no_rule_names_a_job() -> None:
    assert not [rule for _, rule in rules(generated(Parameters())) if 'job="' in rule["expr"]]


def test_the_objectives_are_in_the_expressions_and_in_the_texts() -> None:
    files = generated(Parameters(objectives=Objectives(availability=99.5, latency=98, latency_seconds=1.0)))
    assert "(14.4 * 0.005)" in expression(files, "AvailabilityBudgetBurning")
    assert "(14.4 * 0.02)" in expression(files, "LatencyBudgetBurning")
    assert r'le=~"1(\\.0)?"' in expression(files, "job:http_request_slow:ratio_rate5m")
    assert "99.5%" in files["alerts/budgets.yml"]
    assert "98% within 1s" in files["alerts/budgets.yml"]
    assert "99.5%" in files["runbook.md"]


def test_at_a_sixtieth_of_the_pace_every_window_and_every_wait_is_a_sixtieth_and_nothing_else_differs() -> None:
    slow, quick = rules(generated(Parameters())), rules(generated(Parameters(pace=1 / 60)))
    assert [name for name, _ in slow] == [name for name, _ in quick]
    for (_, one), (_, other) in zip(slow, quick, strict=True):
        shape = [re.sub(r"\[\w+\]|offset \w+|, \d+\)\) < 0", "[]", rule["expr"]) for rule in (one, other)]
        assert shape[0] == shape[1]
        assert one.get("for") is None or _milliseconds(one["for"]) == 60 * _milliseconds(other["for"])


def _milliseconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[unit]


def test_files_are_written_below_a_folder_that_is_made(tmp_path: Path) -> None:
    files = generated(Parameters())
    write(tmp_path / "a" / "b", files)
    assert {str(file.relative_to(tmp_path / "a" / "b")) for file in tmp_path.rglob("*.*")} == set(files)


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"folder '.*file' cannot be written: Not a directory"):
        write(tmp_path / "file", {"rules/a.yml": ""})


def test_without_pyyaml_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InputError, match=r"pip install 'otel-distro\[rules\]'"):
        generated(Parameters())
