"""`otel-distro rules` writes what was asked for and refuses the rest in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_distro.cli.app import BAD_INPUT, run
from otel_distro.monitoring.files import generated
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import Parameters


def test_it_writes_rules_alerts_and_runbook_of_a_service_and_names_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "monitoring"
    arguments = ["--service", "shop", "--objective", "99.5", "--lang", "zh", "--runbook-url", "https://wiki/shop"]
    assert run(["rules", *arguments, "--out", str(out)]) == 0
    expected = generated(Parameters("shop", Objectives(availability=99.5), "zh", "https://wiki/shop"))
    assert {str(file.relative_to(out)): file.read_text() for file in out.rglob("*.*")} == expected
    assert capsys.readouterr().out.splitlines() == [str(out / name) for name in expected]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--objective", "100"], "objective 100 cannot be used; it must be a percentage from 94 to 99.999"),
        (["--objective", "nan"], "objective nan cannot be used"),
        (["--objective", "much"], "'much' is not a valid float"),
        (["--latency-objective", "1"], "latency objective 1 cannot be used"),
        (["--latency-seconds", "0.3"], "latency threshold 0.3 cannot be used; it must be a bucket's bound: 0.005,"),
        (["--requests-per-second", "0"], "least request rate 0 cannot be used; it must be a number above 0"),
        (["--requests-per-second", "inf"], "least request rate inf cannot be used"),
        (["--requests-per-second", "nan"], "least request rate nan cannot be used"),
        (["--service", 'a"b'], "service 'a\"b' cannot be used"),
        (["--lang", "fr"], "language 'fr' is not known; it must be one of en, zh"),
        (["--runbook-url", ""], "runbook '' cannot be used; give the URL where it can be read, in one line"),
        (["--runbook-url", "https://wiki\n"], "runbook 'https://wiki\\n' cannot be used"),
        (["--runbook-url", "https://\udcff"], "runbook 'https://\\udcff' cannot be used"),
        (["--out", ""], "--out '' names no folder; give one, or . for this one"),
        (["--out", "/dev/null/x"], "folder '/dev/null/x' cannot be written: Not a directory"),
    ],
)
def test_bad_input_is_one_line_that_names_it_and_code_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    assert run(["rules", "--out", str(out), *arguments]) == BAD_INPUT
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_least_request_rate_is_what_the_alert_compares_with_and_tells(tmp_path: Path) -> None:
    assert run(["rules", "--requests-per-second", "0.05", "--out", str(tmp_path)]) == 0
    (alert,) = (tmp_path / "alerts" / "requests.yml").read_text().split("- alert: ")[3:]
    assert " < 0.05\n" in alert
    assert "under 0.05 request(s) a second" in alert


def test_a_missing_folder_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules"]) == BAD_INPUT
    assert "--out" in capsys.readouterr().err
