"""`otel-distro dashboards` writes what was asked for and refuses the rest in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_distro.cli.app import BAD_INPUT, run
from otel_distro.monitoring.dashboards.files import generated
from otel_distro.monitoring.objectives import Objectives
from otel_distro.monitoring.parameters import Parameters


def test_it_writes_the_dashboards_of_a_service_and_names_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "monitoring"
    arguments = ["--service", "shop", "--objective", "99.5", "--lang", "zh"]
    assert run(["dashboards", *arguments, "--out", str(out)]) == 0
    expected = generated(Parameters("shop", Objectives(availability=99.5), "zh"))
    assert {str(file.relative_to(out)): file.read_text() for file in out.rglob("*.*")} == expected
    assert capsys.readouterr().out.splitlines() == [str(out / name) for name in expected]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--objective", "100"], "objective 100 cannot be used; it must be a percentage from 94 to 99.999"),
        (["--latency-seconds", "0.3"], "latency threshold 0.3 cannot be used"),
        (["--service", "a b"], "service 'a b' cannot be used"),
        (["--lang", "fr"], "language 'fr' is not known; it must be one of en, zh"),
        (["--out", "/dev/null/x"], "folder '/dev/null/x' cannot be written: Not a directory"),
        (["--from", "no.such:module"], "--from 'no.such:module' cannot be imported: ModuleNotFoundError"),
        (["--from", "a b"], "--from 'a b' cannot be used; it must be a module, as app or shop:metrics"),
    ],
)
def test_bad_input_is_one_line_that_names_it_and_code_2(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["dashboards", "--out", str(out), *arguments]) == BAD_INPUT
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert not out.exists()
