"""`otel-distro elasticsearch setup` and `otel-distro logs --es` as processes, against a real server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from otel_distro.cli.doctor_elasticsearch import NAME
from tests.elastic import install, load, new_prefix
from tests.log_oracle import log_document
from tests.processes import clean_environment
from tests.services.elasticsearch import Elasticsearch

SECRET = "s3cret-value"  # noqa: S105 -- it must not be shown


def _run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otel_distro.cli", *map(str, arguments)],
        env=clean_environment(variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def _done(answer: subprocess.CompletedProcess[str]) -> list[str]:
    assert (answer.returncode, answer.stderr) == (0, "")
    return [line.partition("index template ")[2] for line in answer.stdout.splitlines()]


@pytest.fixture
def prefix(elasticsearch_server: Elasticsearch) -> Iterator[str]:
    """Give a prefix whose templates and indices are this test's own."""
    name = f"setup-{new_prefix()}"
    yield name
    elasticsearch_server.delete(f"*{name}-*")
    for template in (name, f"rejected-{name}"):
        elasticsearch_server.respond("DELETE", f"/_index_template/{template}")


def test_setup_installs_then_changes_nothing_then_updates(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    command = ["elasticsearch", "setup", "--url", elasticsearch_server.url, "--index-prefix", prefix]
    assert _done(_run(*command)) == [f"{prefix} installed", f"rejected-{prefix} installed"]
    same = "is already as it should be"
    assert _done(_run(*command)) == [f"{prefix} {same}", f"rejected-{prefix} {same}"]
    assert _done(_run(*command, "--replicas", 0, "--shards", 2)) == [f"{prefix} updated", f"rejected-{prefix} updated"]
    elasticsearch_server.request("PUT", f"/{prefix}-2025.01.31")
    index = elasticsearch_server.request("GET", f"/{prefix}-2025.01.31")[f"{prefix}-2025.01.31"]
    assert (index["settings"]["index"]["number_of_shards"], index["settings"]["index"]["number_of_replicas"]) == (
        "2",
        "0",
    )


def test_setup_takes_everything_from_variables(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    done = _run(
        "elasticsearch",
        "setup",
        OTEL_DISTRO_ELASTICSEARCH_URL=elasticsearch_server.url,
        OTEL_DISTRO_ELASTICSEARCH_INDEX_PREFIX=prefix,
        OTEL_DISTRO_ELASTICSEARCH_REPLICAS="3",
        OTEL_DISTRO_ELASTICSEARCH_SHARDS="4",
    )
    assert _done(done) == [f"{prefix} installed", f"rejected-{prefix} installed"]
    [found] = elasticsearch_server.request("GET", f"/_index_template/{prefix}")["index_templates"]
    settings = found["index_template"]["template"]["settings"]["index"]
    assert (settings["number_of_replicas"], settings["number_of_shards"]) == ("3", "4")


def test_a_node_alone_is_green_and_fields_of_the_users_own_are_added(
    elasticsearch_server: Elasticsearch, prefix: str
) -> None:
    custom = {"template": {"mappings": {"properties": {"order_id": {"type": "keyword"}}}}}
    elasticsearch_server.request("PUT", f"/_component_template/{prefix}@custom", custom)
    assert _run("elasticsearch", "setup", "--url", elasticsearch_server.url, "--index-prefix", prefix).returncode == 0
    elasticsearch_server.request("PUT", f"/{prefix}-1")
    health = elasticsearch_server.request("GET", f"/_cluster/health/{prefix}-1?wait_for_status=green&timeout=20s")
    assert health["status"] == "green"
    mapping = elasticsearch_server.request("GET", f"/{prefix}-1/_mapping")[f"{prefix}-1"]["mappings"]
    assert mapping["properties"]["order_id"] == {"type": "keyword"}
    assert mapping["properties"]["level"]["type"] == "keyword"
    elasticsearch_server.delete(f"{prefix}-1")
    elasticsearch_server.request("DELETE", f"/_index_template/{prefix}")
    elasticsearch_server.request("DELETE", f"/_component_template/{prefix}@custom")


def test_setup_names_a_template_that_takes_the_place_of_ours(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    other = {"index_patterns": ["x-*", f"{prefix[:-1]}*"], "priority": 600}
    elasticsearch_server.request("PUT", f"/_index_template/all-of-{prefix}", other)
    answer = _run("elasticsearch", "setup", "--url", elasticsearch_server.url, "--index-prefix", prefix)
    elasticsearch_server.request("DELETE", f"/_index_template/all-of-{prefix}")
    assert (answer.returncode, answer.stdout.count(" installed\n")) == (2, 2)
    assert f"but all-of-{prefix} with its priority 600 takes its place: give that one a priority" in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "127.0.0.1:1"], "no Elasticsearch can be reached at http://127.0.0.1:1"),
        (["--url", f"http://ann:{SECRET}@127.0.0.1:1"], "no Elasticsearch can be reached at http://127.0.0.1:1"),
        (["--url", "http://"], "names no Elasticsearch"),
        (["--index-prefix", "Shop"], "index prefix 'Shop'"),
        (["--replicas", "-1"], "replicas=-1"),
        (["--shards", "0"], "shards=0"),
        (["--shards", "x"], "Invalid value for '--shards'"),
        (["--ca-certs", "none.pem"], "ca_certs='none.pem' is no file"),
        (["--api-key", SECRET, "--user", f"ann:{SECRET}"], "both given"),
        (["--api-key", SECRET, "--url", "127.0.0.1:1"], "no Elasticsearch can be reached"),
    ],
)
def test_setup_fails_with_one_line_code_2_and_no_secret(arguments: list[str], said: str) -> None:
    answer = _run("elasticsearch", "setup", *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert SECRET not in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "option"), [("REPLICAS", "--replicas"), ("SHARDS", "--shards")])
def test_setup_refuses_a_variable_that_is_no_number_unless_an_option_takes_its_place(name: str, option: str) -> None:
    bad = {f"OTEL_DISTRO_ELASTICSEARCH_{name}": "two"}
    answer = _run("elasticsearch", "setup", "--url", "127.0.0.1:1", **bad)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert re.fullmatch(rf"otel-distro: OTEL_DISTRO_ELASTICSEARCH_{name}='two' is not a whole .*\n", answer.stderr)
    answer = _run("elasticsearch", "setup", "--url", "127.0.0.1:1", option, "2", **bad)
    assert "no Elasticsearch can be reached" in answer.stderr


def test_a_check_says_that_a_server_without_security_takes_logs_from_everybody(
    elasticsearch_server: Elasticsearch,
) -> None:
    done = _run("elasticsearch", "check", "--url", elasticsearch_server.url)
    told = f"{elasticsearch_server.url}: takes logs into python-app-* from everybody: its security is off\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "--url", "127.0.0.1:1"], "no Elasticsearch can be reached at http://127.0.0.1:1"),
        (["refused", "--url", "127.0.0.1:1"], "no Elasticsearch can be reached at http://127.0.0.1:1"),
        (["refused", "--hours", "0"], "Invalid value for '--hours'"),
        (["check", "--url", ""], "'' names no Elasticsearch; give host:port or a URL"),
        (["refused", "--taken", "", "--url", "127.0.0.1:1"], "--taken '' names no folder"),
        (["check", "--index-prefix", ""], "index prefix '' cannot name an index"),
        (["refused", "--index-prefix", "a*"], "index prefix 'a*' cannot name an index"),
    ],
)
def test_check_and_refused_fail_with_one_line_and_code_2(arguments: list[str], said: str) -> None:
    answer = _run("elasticsearch", *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_folder_that_there_is_not_is_named(elasticsearch_server: Elasticsearch, prefix: str) -> None:
    options = ["--url", elasticsearch_server.url, "--index-prefix", prefix, "--taken", "none"]
    answer = _run("elasticsearch", "refused", *options)
    said = "otel-distro: there is no folder 'none'; give the folder `taken` in the Collector's STORAGE_DIR\n"
    assert (answer.returncode, answer.stdout, answer.stderr) == (2, "", said)


@pytest.fixture
def index(elasticsearch_server: Elasticsearch) -> Iterator[str]:
    """Give the pattern of indices with 30 documents of the last half hour, every third an error."""
    install(elasticsearch_server)
    prefix, now = new_prefix(), datetime.now(timezone.utc)
    documents = [
        log_document(
            now - timedelta(minutes=n),
            n,
            level="INFO" if n % 3 else "ERROR",
            error_type=None if n % 3 else "KeyError",
            user_id=f"u{n % 5}",
            request_id="r",
            trace_id="t",
        )
        for n in range(1, 31)
    ]
    load(elasticsearch_server, prefix, documents)
    yield f"{prefix}-*"
    elasticsearch_server.delete(f"{prefix}-*")


def test_every_question_is_answered_from_elasticsearch(elasticsearch_server: Elasticsearch, index: str) -> None:
    where = ["--es", elasticsearch_server.url, "--index", index, "--json"]
    numbers = {"errors": 10, "rate": 1, "user u1": 6, "request r": 30, "trace t": 30, "top": 1}
    for question, number in numbers.items():
        answer = _run("logs", *question.split(), *where)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert len([json.loads(line) for line in answer.stdout.splitlines()]) == number
    assert _run("logs", "user", "nobody", *where[:-1]).stdout.startswith(
        "nothing of user 'nobody' in the last 24 hours in 30 documents of "
    )


def test_the_variable_names_the_elasticsearch_unless_files_are_named(
    elasticsearch_server: Elasticsearch, index: str
) -> None:
    url = {"OTEL_DISTRO_ELASTICSEARCH_URL": elasticsearch_server.url}
    assert len(_run("logs", "errors", "--json", "--index", index, **url).stdout.splitlines()) == 10
    assert (
        len(_run("logs", "errors", "--json", "--index", index, "-l", elasticsearch_server.url).stdout.splitlines())
        == 10
    )
    for arguments, variables in ((["-l", "none.log"], {}), ([], {"OTEL_DISTRO_LOG_FILE": "none.log"})):
        told = _run("logs", "errors", *arguments, **url, **variables).stderr
        assert told.startswith("otel-distro: no log file matches none.log; ")


def test_documents_without_a_time_are_said_beside_the_answer(elasticsearch_server: Elasticsearch, index: str) -> None:
    load(elasticsearch_server, index.removesuffix("-*"), [{"message": "no time"}])
    answer = _run("logs", "rate", "--es", elasticsearch_server.url, "--index", index)
    assert answer.returncode == 0
    assert answer.stderr == "otel-distro: 1 document was skipped: no @timestamp that can be read\n"


def test_files_and_elasticsearch_at_once_are_refused() -> None:
    answer = _run("logs", "errors", "-l", "app.log", "--es", "localhost")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "otel-distro: --logs and --es name two places; leave one of them out\n"


def test_the_doctor_warns_where_no_log_is_stored_yet_and_finds_logs_that_can_be_asked(
    elasticsearch_server: Elasticsearch, prefix: str
) -> None:
    variables = {
        "OTEL_DISTRO_ELASTICSEARCH_URL": elasticsearch_server.url,
        "OTEL_DISTRO_ELASTICSEARCH_INDEX_PREFIX": prefix,
        "OTEL_METRICS_EXPORTER": "none",
    }

    def found() -> dict[str, str]:
        (told,) = [each for each in json.loads(_run("doctor", "--json", **variables).stdout) if each["check"] == NAME]
        return dict(told)

    first = found()
    assert (first["status"], f"no index matches {prefix}-*" in first["found"]) == ("warning", True)
    assert "otel-distro elasticsearch setup" in first["mend"]
    _run("elasticsearch", "setup", **variables)
    elasticsearch_server.request("PUT", f"/{prefix}-2025.01.31")
    assert found()["found"] == f"{elasticsearch_server.url} has 1 index of {prefix}-* that can be asked"
    elasticsearch_server.request("DELETE", f"/_index_template/{prefix}")
    elasticsearch_server.request("PUT", f"/{prefix}-2025.02.01")
    last = found()
    assert (last["status"], "was made without the template" in last["found"]) == ("fault", True)
