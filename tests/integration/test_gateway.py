"""The gateway: what agents of other machines send to it, with a certificate, is stored once and as they made it."""

from __future__ import annotations

import json
import re
import shutil
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_refused import DeadLetters
from otel_distro.analyzer.taken import records
from otel_distro.monitoring.alerts.pipeline import WITH_LOGS
from tests import certificates
from tests.agent import AGENT, Agent, export_request, install_templates, line
from tests.certificates import Certificates, Pair
from tests.services.collector import validate
from tests.services.elasticsearch import Elasticsearch
from tests.support import request, wait_until

GATEWAY = AGENT.with_name("gateway.yaml")
FORWARD = AGENT.with_name("forward.yaml")
MOMENT = "2026-11-24T09:00:00.123456Z"
ERROR = {"timestamp": MOMENT, "level": "ERROR", "message": "no", "user_id": "u", "extra": {"a": 1}, "http.status": 200}


@pytest.fixture(scope="module")
def certificates_(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def gateway_variables(made: Certificates) -> dict[str, str]:
    return {
        "GATEWAY_CERT_FILE": str(made.server.certificate),
        "GATEWAY_KEY_FILE": str(made.server.key),
        "AGENTS_CA_FILE": str(made.authority.certificate),
    }


def copy_pair(pair: Pair, folder: Path) -> dict[str, str]:
    """Copy a certificate and its key to where an agent looks for its own, and return its variables."""
    shutil.copy(pair.key, folder / "agent.key")
    shutil.copy(pair.certificate, folder / "agent.pem")
    return {"AGENT_CERT_FILE": str(folder / "agent.pem"), "AGENT_KEY_FILE": str(folder / "agent.key")}


@pytest.fixture
def gateway(
    collector_binary: Path, elasticsearch_server: Elasticsearch, certificates_: Certificates, tmp_path: Path
) -> Iterator[Agent]:
    install_templates(elasticsearch_server)
    variables = gateway_variables(certificates_)
    with Agent(collector_binary, elasticsearch_server, tmp_path / "gateway", variables, [GATEWAY]) as running:
        yield running


def agent_of(gateway: Agent, made: Certificates, folder: Path, pair: Pair) -> Agent:
    """An agent that sends to the gateway and proves itself with this pair."""
    folder.mkdir()
    variables = {
        "GATEWAY_URL": f"https://{gateway.env['OTLP_HTTP_ENDPOINT']}",
        "GATEWAY_CA_FILE": str(made.authority.certificate),
        "SERVICE_NAME": "of-the-agent",
        **copy_pair(pair, folder),
    }
    return Agent(gateway.binary, gateway.elasticsearch, folder, variables, [AGENT, FORWARD])


def send_directly(gateway: Agent, made: Certificates, *documents: dict[str, Any]) -> int:
    """Export documents as records of a service that has a certificate of its own, and return the answer's status."""
    tls = ssl.create_default_context(cafile=made.authority.certificate)
    tls.load_cert_chain(made.client.certificate, made.client.key)
    body = export_request(documents, {}).SerializeToString()
    url = f"https://{gateway.env['OTLP_HTTP_ENDPOINT']}/v1/logs"
    headers = {"Content-Type": "application/x-protobuf"}
    return request(url, method="POST", body=body, headers=headers, seconds=60, tls=tls).status


def without_id(source: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name != "log_id"}


def test_what_agents_send_is_stored_once_as_an_agent_alone_would_have_stored_it(
    gateway: Agent, certificates_: Certificates, tmp_path: Path
) -> None:
    with agent_of(gateway, certificates_, tmp_path / "agent", certificates_.client) as agent:
        agent.write(line(**ERROR, log_id="by-file"), line(**ERROR, log_id="by-file"), "no JSON at all")
        assert agent.tcp(line(**ERROR, log_id="by-tcp"))
        assert agent.otlp({**ERROR, "log_id": "by-otlp"})
        stored = {document.id: document for document in gateway.wait_for(4)}
        assert agent.stored() == []
    expected = {**ERROR, "@timestamp": MOMENT, "tags": ["user_action", "error"]}
    del expected["timestamp"]
    expected |= {"service": "of-the-agent", "environment": "production"}
    for log_id in ("by-file", "by-tcp", "by-otlp"):
        assert without_id(stored[log_id].source) == expected
        assert stored[log_id].index == f"{gateway.prefix}-2026.11.24"
    (text,) = [found.source for found in stored.values() if not found.id.startswith("by-")]
    assert (text["message"], text["tags"]) == ("no JSON at all", ["parse_failure"])


def test_names_that_come_to_one_lose_nothing_by_an_agent_nor_directly(
    gateway: Agent, certificates_: Certificates, tmp_path: Path
) -> None:
    odd = {".a": 1, "..a": 2, "level.a.b.c": 3, "http.status": 200}
    record = {"timestamp": MOMENT, "message": "x", **odd}
    with agent_of(gateway, certificates_, tmp_path / "agent", certificates_.client) as agent:
        agent.write(line(**record, log_id="by-agent"))
        assert send_directly(gateway, certificates_, {**record, "log_id": "directly"}) == 200
        stored = {document.id: document.source for document in gateway.wait_for(2)}
    assert stored.keys() == {"by-agent", "directly"}
    for log_id, document in stored.items():
        assert odd.items() <= json.loads(document["extra_record"]).items(), log_id
        kept = {name: value for name, value in document.items() if name.startswith(("extra__", "extra_level", "http"))}
        assert kept in ({"extra__a": one, "extra_level_a_b_c": 3, "http.status": 200} for one in (1, 2)), log_id


def test_what_is_refused_is_on_the_gateways_disk(gateway: Agent, certificates_: Certificates, tmp_path: Path) -> None:
    mapping = {"mappings": {"dynamic": False, "properties": {"extra": {"type": "integer"}}}}
    gateway.elasticsearch.request("PUT", f"/{gateway.prefix}-2026.11.24", mapping)
    with agent_of(gateway, certificates_, tmp_path / "agent", certificates_.client) as agent:
        agent.write(line(**ERROR, log_id="refused"), line(**{**ERROR, "extra": 7}, log_id="taken"))
        gateway.wait_for(1)
        taken = Path(gateway.env["STORAGE_DIR"]) / "taken"
        # They may come in two requests, of which the one that is stored may be the first.
        wait_until(lambda: {record.id for record in records(taken, 1)} == {"refused", "taken"}, what="both records")
        letters = DeadLetters(Address.of(gateway.elasticsearch.url), gateway.prefix)
        [letter] = letters.send_missing(records(taken, 1))
        letters.close()
        assert not (Path(agent.env["STORAGE_DIR"]) / "taken").exists()
    assert (letter.id, letter.refused, letter.kind) == ("refused", True, "document_parsing_exception")
    assert json.loads(letter.document)["extra"] == ERROR["extra"]
    gateway.elasticsearch.delete(f"rejected-{gateway.indices}")


def test_an_agent_with_a_certificate_of_strangers_waits_and_after_the_mend_nothing_is_missing(
    gateway: Agent, certificates_: Certificates, tmp_path: Path
) -> None:
    folder = tmp_path / "agent"
    with agent_of(gateway, certificates_, folder, certificates_.stranger) as agent:
        agent.write(*(line(**ERROR, log_id=f"waits-{number}") for number in range(50)))
        wait_until(lambda: "tls: " in agent.log, what=lambda: f"a refused handshake\n{agent.log}")
        assert gateway.stored() == []
        # What LogPipelineStalled looks at, which tells of it.
        assert re.fullmatch(WITH_LOGS.removeprefix('exporter=~"').rstrip('"'), "otlp_http/gateway")
        queue = partial(agent.metric, "otelcol_exporter_queue_size", exporter="otlp_http/gateway", data_type="logs")
        wait_until(queue, what=lambda: f"a queue of logs that is not empty\n{agent.metrics}")
        assert agent.metric("otelcol_exporter_sent_log_records", exporter="otlp_http/gateway") == 0
        agent.stop()
        copy_pair(certificates_.client, folder)
        agent.start()
        assert {found.id for found in gateway.wait_for(50)} == {f"waits-{number}" for number in range(50)}


def test_what_makes_documents_is_that_of_the_agent() -> None:
    agent, gateway = (yaml.safe_load(file.read_text())["processors"] for file in (AGENT, GATEWAY))
    for name in ("transform/otlp", "transform/document"):
        for group in (*agent[name]["log_statements"], *gateway[name]["log_statements"]):
            if any("elasticsearch.index" in condition for condition in group.get("conditions", ())):
                del group["conditions"]
        assert gateway[name] == agent[name]
    assert gateway["memory_limiter"] == agent["memory_limiter"]


def test_its_exporters_and_its_storage_are_those_of_the_agent() -> None:
    agent, gateway = (yaml.safe_load(file.read_text()) for file in (AGENT, GATEWAY))
    assert gateway["extensions"] == agent["extensions"]
    for name, exporter in gateway["exporters"].items():
        assert exporter == agent["exporters"][name]


@pytest.mark.parametrize("configs", [[GATEWAY], [AGENT, FORWARD]])
def test_the_configurations_are_valid_and_mistyped_copies_are_not(
    configs: list[Path], certificates_: Certificates, tmp_path: Path
) -> None:
    env = {
        **gateway_variables(certificates_),
        **copy_pair(certificates_.client, tmp_path),
        "GATEWAY_URL": "https://g:1",
    }
    validate(*configs, env=env)
    text = configs[-1].read_text()
    for word in ("exporters:", "sending_queue", "max_elapsed_time" if len(configs) == 2 else "client_ca_file_reload"):
        assert word in text
        mistyped = tmp_path / "mistyped.yaml"
        mistyped.write_text(text.replace(word, word.replace("e", "ee", 1), 1))
        with pytest.raises(AssertionError, match="status 1"):
            validate(*configs[:-1], mistyped, env=env)
