"""The Collector and an Elasticsearch with TLS of a private authority and API keys: what is needed, what waits."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agent import Agent, install_templates, line
from tests.certificates import Certificates
from tests.processes import clean_environment
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

# What docs/pipeline.md says.
LEAST = {"logs": {"indices": [{"names": ["python-app-*"], "privileges": ["create_doc", "auto_configure"]}]}}
FOR_REFUSED = {
    "refused": {
        "indices": [
            {"names": ["python-app-*"], "privileges": ["read", "create_doc"]},
            {"names": ["rejected-python-app-*"], "privileges": ["read", "create_doc", "delete", "auto_configure"]},
        ]
    }
}
NONE = {"logs": {"indices": [{"names": ["elsewhere-*"], "privileges": ["create_doc"]}]}}


@dataclass(frozen=True)
class Secured:
    """A running Elasticsearch with security, and whom to trust for it."""

    server: Elasticsearch
    certificates: Certificates


@pytest.fixture(scope="module")
def secured(secured_elasticsearch: Elasticsearch, known_certificates: Certificates) -> Secured:
    install_templates(secured_elasticsearch)
    return Secured(secured_elasticsearch, known_certificates)


def agent_with(binary: Path, secured: Secured, folder: Path, key: str, authority: Path | None = None) -> Agent:
    trusted = authority or secured.certificates.authority.certificate
    env = {"ELASTICSEARCH_API_KEY": key, "ELASTICSEARCH_CA_FILE": str(trusted)}
    return Agent(binary, secured.server, folder, env)


def send(agent: Agent, begin: int) -> None:
    """Send a record by each way."""
    records = [
        {"timestamp": "2026-11-24T09:00:00.123456Z", "message": "x", "log_id": f"r-{begin + place}"}
        for place in range(3)
    ]
    agent.write(line(**records[0]))
    assert agent.tcp(line(**records[1]))
    assert agent.otlp(records[2])


def see_it_wait(agent: Agent) -> None:
    """Wait until three records are in the queue, in up to three batches of which the exporter tries two."""
    wait_until(
        lambda: (
            agent.metric("otelcol_receiver_accepted_log_records") >= 3
            and agent.metric("otelcol_exporter_in_flight_requests", exporter="elasticsearch") > 0
        ),
        what=lambda: f"a request in flight\n{agent.metrics}",
    )
    assert agent.elasticsearch.count(agent.indices) == 0


def log_ids(agent: Agent) -> list[str]:
    return sorted(document.id for document in agent.stored())


def test_the_least_rights_are_enough(collector_binary: Path, secured: Secured, tmp_path: Path) -> None:
    key = secured.server.create_api_key("least", LEAST)
    with agent_with(collector_binary, secured, tmp_path, key.encoded) as agent:
        send(agent, 0)
        agent.wait_for(3)
        assert log_ids(agent) == ["r-0", "r-1", "r-2"]
        assert key.encoded not in agent.log
    read = secured.server.respond("GET", f"/{agent.indices}/_search", authorization=f"ApiKey {key.encoded}")
    assert read.status == 403


def test_records_wait_for_the_rights_of_a_key(collector_binary: Path, secured: Secured, tmp_path: Path) -> None:
    key = secured.server.create_api_key("none", NONE)
    with agent_with(collector_binary, secured, tmp_path, key.encoded) as agent:
        send(agent, 0)
        see_it_wait(agent)
        assert agent.metric("otelcol_exporter_queue_size", exporter="elasticsearch") > 0
        # The first request may still be on its way when it is seen.
        wait_until(lambda: agent.metric("otelcol_elasticsearch_docs_retried") > 0, what=lambda: agent.metrics)
        secured.server.request("PUT", f"/_security/api_key/{key.id}", {"role_descriptors": LEAST})
        agent.wait_for(3)
        assert log_ids(agent) == ["r-0", "r-1", "r-2"]


def test_records_wait_for_a_key_in_the_place_of_one_that_ends(
    collector_binary: Path, secured: Secured, tmp_path: Path
) -> None:
    first = secured.server.create_api_key("ends", LEAST)
    secured.server.invalidate_api_key(first)
    with agent_with(collector_binary, secured, tmp_path, first.encoded) as agent:
        send(agent, 0)
        see_it_wait(agent)
        unauthorized = {"http_response_status_code": "401"}
        wait_until(
            lambda: agent.metric("http_client_request_duration_count", **unauthorized) > 0, what=lambda: agent.metrics
        )
        agent.kill()
        agent.env["ELASTICSEARCH_API_KEY"] = secured.server.create_api_key("follows", LEAST).encoded
        agent.start()
        send(agent, 3)
        agent.wait_for(6)
        assert log_ids(agent) == [f"r-{number}" for number in range(6)]


def test_records_wait_for_the_right_authority(collector_binary: Path, secured: Secured, tmp_path: Path) -> None:
    key = secured.server.create_api_key("authority", LEAST)
    stranger = secured.certificates.other_authority.certificate
    with agent_with(collector_binary, secured, tmp_path, key.encoded, stranger) as agent:
        send(agent, 0)
        see_it_wait(agent)
        agent.kill()
        agent.env["ELASTICSEARCH_CA_FILE"] = str(secured.certificates.authority.certificate)
        agent.start()
        agent.wait_for(3)
        assert log_ids(agent) == ["r-0", "r-1", "r-2"]


def command(secured: Secured, key: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `otel-distro elasticsearch` with a key."""
    variables = {
        "OTEL_DISTRO_ELASTICSEARCH_API_KEY": key,
        "OTEL_DISTRO_ELASTICSEARCH_CA_CERTS": str(secured.certificates.authority.certificate),
    }
    done = subprocess.run(
        [sys.executable, "-m", "otel_distro.cli", "elasticsearch", *words, "--url", secured.server.url],
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert key not in done.stdout + done.stderr
    return done


def checked(secured: Secured, key: str) -> tuple[int, str]:
    """Run `otel-distro elasticsearch check` with a key, and return its code and the one line that it says."""
    done = command(secured, key, "check")
    [line] = (done.stdout + done.stderr).splitlines()
    return done.returncode, line


@pytest.mark.parametrize(
    ("rights", "code", "said"),
    [
        (["create_doc", "auto_configure"], 0, "takes logs into python-app-* with the api_key"),
        (["create_doc", "create_index"], 0, "takes logs into python-app-* with the api_key"),
        (["create_doc"], 2, "may not send logs to {url}: give it auto_configure on python-app-*"),
        (["auto_configure"], 2, "may not send logs to {url}: give it create_doc on python-app-*"),
        (["read"], 2, "may not send logs to {url}: give it create_doc and auto_configure on python-app-*"),
    ],
)
def test_a_check_says_which_right_is_missing(secured: Secured, rights: list[str], code: int, said: str) -> None:
    roles = {"logs": {"indices": [{"names": ["python-app-*"], "privileges": rights}]}}
    found, line = checked(secured, secured.server.create_api_key("checked", roles).encoded)
    assert (found, line.endswith(said.format(url=secured.server.url))) == (code, True), line


def test_a_check_says_that_a_key_is_none_or_is_one_no_more(secured: Secured) -> None:
    ended = secured.server.create_api_key("ended", LEAST)
    secured.server.invalidate_api_key(ended)
    refused = f"otel-distro: {secured.server.url} refuses the api_key; give an api_key or basic_auth that is valid"
    assert checked(secured, ended.encoded) == (2, refused)
    assert checked(secured, "bm9uZTpub25l") == (2, refused)


def test_the_least_rights_are_enough_to_keep_what_is_refused_and_to_store_it(
    collector_binary: Path, secured: Secured, tmp_path: Path
) -> None:
    document = (Path(__file__).parents[2] / "docs" / "pipeline.md").read_text()
    for roles in (LEAST, FOR_REFUSED):
        assert f"```json\n{json.dumps(roles)}\n```" in document
    key = secured.server.create_api_key("refused", FOR_REFUSED).encoded
    with agent_with(
        collector_binary, secured, tmp_path, secured.server.create_api_key("sends", LEAST).encoded
    ) as agent:
        index = f"{agent.prefix}-2026.11.24"
        secured.server.request("PUT", f"/{index}", {"mappings": {"properties": {"message": {"type": "integer"}}}})
        send(agent, 0)
        wait_until(
            lambda: agent.metric("otelcol_elasticsearch_docs_processed", outcome="failed_client") == 3,
            what=lambda: f"three refusals\n{agent.metrics}",
        )
        words = ("refused", "--index-prefix", agent.prefix, "--taken", f"{agent.env['STORAGE_DIR']}/taken")
        done = command(secured, key, *words)
        assert done.stderr == f"otel-distro: 0 stored now; 3 refused, kept in rejected-{agent.prefix}-*\n"
        assert sorted(json.loads(line)["id"] for line in done.stdout.splitlines()) == ["r-0", "r-1", "r-2"]
        mended = {"properties": {"message": {"type": "integer", "ignore_malformed": True}}}
        secured.server.request("PUT", f"/{index}/_mapping", mended)
        done = command(secured, key, *words)
        assert done.stderr == f"otel-distro: 3 stored now; 0 refused, kept in rejected-{agent.prefix}-*\n"
        assert log_ids(agent) == ["r-0", "r-1", "r-2"]
        assert secured.server.count(f"rejected-{index}") == 0
