"""Every alert has its words in every language, each with the same placeholders; nothing is left unfilled."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import string

import pytest

from otel_distro.logs.handlers import ConsoleHandler
from otel_distro.logs.json import JsonFormatter
from otel_distro.monitoring.files import alert_groups
from otel_distro.monitoring.model import Alert
from otel_distro.monitoring.parameters import LANGUAGES, Parameters
from otel_distro.monitoring.texts.filled import carried, explained
from otel_distro.monitoring.texts.languages import language
from otel_distro.monitoring.texts.model import Text

ALERTS = [rule for group in alert_groups(Parameters()).values() for rule in group.rules if isinstance(rule, Alert)]
NAMES = sorted({alert.name for alert in ALERTS})


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def all_of(text: Text) -> str:
    return " ".join((text.summary, text.description, text.meaning, *text.causes, *text.mend))


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_language_has_exactly_the_alerts_that_there_are(name: str) -> None:
    assert sorted(language(name).alerts) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_all_languages_say_the_same_things_of_an_alert(name: str) -> None:
    texts = [language(one).alerts[name] for one in LANGUAGES]
    for field in ("summary", "description", "meaning"):
        assert len({frozenset(places(getattr(text, field))) for text in texts}) == 1, field
    assert len({(len(text.causes), len(text.mend)) for text in texts}) == 1
    named = [set(re.findall(r"`[^`]+`", all_of(text))) for text in texts]
    assert all(one == named[0] for one in named)


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name + "".join(alert.labels.values()))
def test_every_alert_names_its_labels_and_says_its_value(alert: Alert, name: str) -> None:
    told = carried(alert, Parameters(language=name, runbook="https://wiki/runbook"))
    both = told["summary"] + told["description"]
    if alert.name != "TargetDown":
        assert alert.unit.value in told["description"]
    assert all(f"{{{{ $labels.{label} }}}}" in both for label in alert.by)
    assert not re.search(r"(?<!\{)\{(?!\{)\w", both)
    assert told["runbook_url"] == f"https://wiki/runbook#{alert.name.lower()}"


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name + "".join(alert.labels.values()))
def test_the_runbook_text_is_filled_in_to_the_last_placeholder(alert: Alert, name: str) -> None:
    text = explained(alert, Parameters(language=name))
    assert not places(" ".join((text.meaning, *text.causes, *text.mend)))


@pytest.mark.parametrize("name", LANGUAGES)
def test_lost_lines_are_explained_by_the_console_as_well_which_counts_with_the_file(name: str) -> None:
    with contextlib.redirect_stdout(None):
        console = ConsoleHandler(JsonFormatter())
        console.emit(logging.makeLogRecord({"msg": "nobody reads it"}))
    assert console.dropped == 1
    assert "OTEL_DISTRO_LOG_FORMAT" in language(name).alerts["LogLinesDropped"].meaning


@pytest.mark.parametrize("name", NAMES)
def test_the_chinese_texts_are_chinese(name: str) -> None:
    texts = dataclasses.asdict(language("zh").alerts[name])
    for text in (texts["summary"], texts["description"], texts["meaning"], *texts["causes"], *texts["mend"]):
        assert re.search(r"[\u4e00-\u9fff]", text), text


@pytest.mark.parametrize(("name", "restart"), [("en", "restart the Collector"), ("zh", "重启 Collector")])
def test_no_collector_is_restarted_where_a_stop_in_order_loses_what_its_readers_hold(name: str, restart: str) -> None:
    said = [step for text in language(name).alerts.values() for step in text.mend]
    assert [step for step in said if restart in step.replace("Restart", "restart")] == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_text_names_a_page_of_the_repository_which_a_user_s_runbook_does_not_have(name: str) -> None:
    assert [alert for alert, text in language(name).alerts.items() if "docs/" in all_of(text)] == []
