"""The runbook has one complete section an alert, under the anchor that its alert names."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from otel_distro.cli.app import run
from otel_distro.monitoring.files import generated
from otel_distro.monitoring.parameters import LANGUAGES, Parameters
from otel_distro.monitoring.texts.languages import language

FILES = {name: generated(Parameters(language=name)) for name in LANGUAGES}


def sections(text: str) -> dict[str, str]:
    _, *found = re.split(r"^## ", text, flags=re.MULTILINE)
    return {section.partition("\n")[0]: section for section in found}


def urls(files: dict[str, str]) -> set[str]:
    documents = [yaml.safe_load(text) for name, text in files.items() if name.startswith("alerts/")]
    groups = [group for document in documents for group in document["groups"]]
    return {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_alert_leads_to_a_heading_and_every_heading_is_led_to(name: str) -> None:
    anchors = {f"runbook.md#{heading.lower()}" for heading in sections(FILES[name]["runbook.md"])}
    assert anchors == urls(FILES[name])


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_section_has_meaning_queries_commands_causes_and_mend(name: str) -> None:
    headings = language(name).headings
    for heading, section in sections(FILES[name]["runbook.md"]).items():
        for part in (headings.meaning, headings.look, headings.causes, headings.mend):
            assert f"**{part}.**" in section, heading
        assert re.search(r"```promql\n[^`]+\n```", section), heading
        assert re.search(r"```sh\notel-distro (?:logs|elasticsearch) [^`]+\n```", section), heading


def test_of_pairs_of_windows_one_section_names_both_severities() -> None:
    section = sections(FILES["en"]["runbook.md"])["AvailabilityBudgetBurning"]
    assert "- critical: look at once, fires after 2m (long 1h, short 5m)\n" in section
    assert "- warning: look today, fires after 3h (long 3d, short 6h)\n" in section


def test_every_command_of_the_runbook_is_one_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = FILES["en"]["runbook.md"]
    commands = set(re.findall(r"otel-distro (?:logs|elasticsearch) [^`\n]+", text))
    assert len(commands) >= 6
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "otel-distro"
        assert run([*words, "--help"]) == 0, command
        options = {word for word in words if word.startswith("--")}
        shown = capsys.readouterr().out
        assert all(option in shown for option in options), command
