"""docs/pipeline.md says what is: its commands run, its table of variables is that of the configurations."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.agent import SYNCHRONOUS, Agent, install_templates, line
from tests.benchmarks import pipeline_cost
from tests.processes import ROOT, AppProcess
from tests.refusing_collectors import COUNTERS
from tests.services.collector import validate
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

FOLDER: Final = ROOT / "collector-config"
DOCUMENT: Final = (ROOT / "docs" / "pipeline.md").read_text()
COMMANDS: Final = re.findall(r"^    (\S.*)$", DOCUMENT, re.MULTILINE)
CONFIGURATIONS: Final = ("agent", "forward", "gateway", "remote-write")
# On the page once it has happened: seen in test_agent_security, and in test_alert_metrics.
LATER: Final = {"otelcol_elasticsearch_docs_retried", *COUNTERS.values()}
# Of a configuration that wants files or addresses.
NEEDED: Final = {
    "GATEWAY_URL": "https://gateway.example.com:4318",
    **dict.fromkeys(("AGENT_CERT_FILE", "AGENT_KEY_FILE"), "agent.pem"),
    **dict.fromkeys(("GATEWAY_CERT_FILE", "GATEWAY_KEY_FILE", "AGENTS_CA_FILE"), "gateway.pem"),
}


@pytest.fixture(scope="module")
def agent(
    collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    install_templates(elasticsearch_server)
    with Agent(collector_binary, elasticsearch_server, tmp_path_factory.mktemp("agent")) as running:
        running.write(line(message="one", log_id="one"))
        running.wait_for(1)
        yield running


def variables(name: str) -> dict[str, str]:
    """Variables of a configuration with their defaults; `none` where one has to be set."""
    found = re.findall(r"\$\{env:(\w+)(:-([^}]*))?\}", (FOLDER / f"{name}.yaml").read_text())
    return {variable: default if has_default else "none" for variable, has_default, default in found}


def test_each_variable_stands_in_the_table_with_its_default_and_where_it_is() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\S*) ?\| ([a-z, -]+) \|", DOCUMENT, re.MULTILINE)
    told = {name: (default.strip("`"), set(places.split(", "))) for name, default, places in rows}
    assert len(told) == len(rows) > 25
    for configuration in CONFIGURATIONS:
        for variable, default in variables(configuration).items():
            stated, places = told[variable]
            listens = configuration == "gateway" and variable.startswith("OTLP_")  # said in words
            assert listens or (stated, configuration in places) == (default, True), (configuration, variable)
    known = set().union(*(variables(configuration) for configuration in CONFIGURATIONS))
    assert set(told) == known


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("otelcol ")])
def test_each_command_of_the_collector_is_one_that_it_takes(command: str) -> None:
    words = shlex.split(command)
    configs = [ROOT / word for flag, word in pairwise(words) if flag == "--config"]
    assert configs
    validate(*configs, env=NEEDED)


def test_each_command_with_the_configuration_that_reads_files_has_the_flag_without_which_a_kill_loses_lines() -> None:
    heads = re.findall(
        r"^#     (otelcol .*)$", "".join(file.read_text() for file in FOLDER.glob("*.yaml")), re.MULTILINE
    )
    reading = [
        command for command in (*COMMANDS, *heads) if command.startswith("otelcol ") and "/agent.yaml" in command
    ]
    assert len(reading) == 6
    assert [command for command in reading if SYNCHRONOUS not in command] == []


def test_each_question_to_the_collector_is_answered(agent: Agent) -> None:
    questions = [command for command in COMMANDS if command.startswith("curl ")]
    assert len(questions) == 2
    for written in questions:
        here = written.replace("localhost:13133", agent.env["HEALTH_ENDPOINT"])
        here = here.replace("localhost:8888", f"localhost:{agent.env['TELEMETRY_PORT']}")
        with AppProcess(["bash", "-c", here]) as program:
            assert program.wait() == 0, program.output
            assert program.stdout, written


def test_the_templates_are_installed_by_its_command(elasticsearch_server: Elasticsearch) -> None:
    (written,) = [command for command in COMMANDS if command.startswith("otel-distro elasticsearch setup")]
    here = written.replace("localhost:9200", elasticsearch_server.url)
    with AppProcess(shlex.split(here)) as program:
        assert program.wait() == 0, program.output
        assert "index template python-app" in program.stdout


def test_each_metric_that_it_names_is_one_of_the_collector(agent: Agent) -> None:
    names = set(re.findall(r"`(otelcol_\w+)[`{]", DOCUMENT)) - LATER
    assert len(names) >= 6

    def missing() -> list[str]:
        page = agent.metrics
        return [name for name in sorted(names) if not re.search(rf"^{name}(_total)?{{", page, re.MULTILINE)]

    # What is found in Elasticsearch is counted when its answer has come.
    wait_until(lambda: not missing(), what=lambda: str(missing()))


def test_no_command_is_without_a_test() -> None:
    # The last at a small size, by test_benchmark_pipeline.
    tested = ("otelcol ", "curl ", "otel-distro elasticsearch ", "python -m tests.benchmarks.pipeline_cost")
    untested = [command for command in COMMANDS if not command.startswith(tested)]
    assert untested == ["docker compose -f collector-config/compose.yaml up -d"]


def test_the_way_to_half_the_processor_time_is_the_one_that_the_benchmark_measures() -> None:
    measured = pipeline_cost.CONFIGURATIONS["files as queues, GOGC=400"][1]
    assert [f"`{name}={value}`" for name, value in measured.items() if f"`{name}={value}`" not in DOCUMENT] == []


def test_every_file_that_it_links_to_is_there() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", DOCUMENT):
        assert (ROOT / "docs" / link).exists(), link


def test_the_commands_on_a_key_and_on_what_is_refused_do_what_is_said(
    elasticsearch_server: Elasticsearch, agent: Agent
) -> None:
    written = [command for command in COMMANDS if re.search(r"elasticsearch (check|refused)", command)]
    assert len(written) == 2
    for command in written:
        here = command.replace("localhost:9200", elasticsearch_server.url)
        here = here.replace("storage/taken", f"{agent.env['STORAGE_DIR']}/taken")
        variables = {"OTEL_DISTRO_ELASTICSEARCH_INDEX_PREFIX": agent.prefix}
        with AppProcess(shlex.split(here), variables) as program:
            assert program.wait() == 0, program.output
