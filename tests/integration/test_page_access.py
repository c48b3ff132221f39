"""A real Prometheus reads a guarded page: by client certificate and password, and by a token that changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otel_distro.metrics.access import CERTIFICATE, CLIENT_CA, KEY, TOKENS, USERS, Access
from otel_distro.metrics.http import MetricsServer
from otel_distro.settings import Settings
from tests import certificates
from tests.certificates import Certificates
from tests.services.prometheus import Prometheus
from tests.support import wait_until

CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
  - job_name: guarded
    scheme: https
    tls_config: {{ca_file: "{authority}", cert_file: "{client}", key_file: "{client_key}"}}
    basic_auth: {{username: prometheus, password_file: password}}
    static_configs: [{{targets: ["localhost:{guarded}"]}}]
  - job_name: stranger
    scheme: https
    tls_config: {{ca_file: "{authority}", cert_file: "{stranger}", key_file: "{stranger_key}"}}
    basic_auth: {{username: prometheus, password_file: password}}
    static_configs: [{{targets: ["localhost:{guarded}"]}}]
  - job_name: token
    authorization: {{credentials_file: token}}
    static_configs: [{{targets: ["127.0.0.1:{token}"]}}]
  - job_name: nobody
    static_configs: [{{targets: ["127.0.0.1:{token}"]}}]
"""


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@contextmanager
def served(text: str, **variables: str) -> Iterator[MetricsServer]:
    access = Access.from_settings(Settings.from_environ(variables))
    server = MetricsServer(lambda _: text.encode(), "localhost", 0, access=access)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def scraped(binary: Path, folder: Path, pems: Certificates, guarded: int, token: int) -> Iterator[Prometheus]:
    config = CONFIG.format(
        authority=pems.authority.certificate,
        client=pems.client.certificate,
        client_key=pems.client.key,
        stranger=pems.stranger.certificate,
        stranger_key=pems.stranger.key,
        guarded=guarded,
        token=token,
    )
    with Prometheus(binary, config, folder) as prometheus:
        yield prometheus


def wait_until_down(prometheus: Prometheus, job: str, error: str) -> None:
    """Wait until the newest scrape of the job's one target failed by this error."""

    def found() -> str:
        (target,) = (one for one in prometheus.api("targets")["activeTargets"] if one["scrapePool"] == job)
        return f"{target['health']} {target['lastError']}"

    wait_until(lambda: re.search(error, found()), what=lambda: f"{job} to be {error}; it is {found()}")


def test_prometheus_reads_what_it_has_the_keys_for_and_nobody_else_does(
    prometheus_binary: Path, pems: Certificates, tmp_path: Path
) -> None:
    (tmp_path / "users").write_text("prometheus:correct horse\n")
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "token").write_text("first-token\n")
    guard = {
        CERTIFICATE: str(pems.server.certificate),
        KEY: str(pems.server.key),
        CLIENT_CA: str(pems.authority.certificate),
        USERS: str(tmp_path / "users"),
    }
    with (
        served("orders_total 7\n# EOF\n", **guard) as guarded,
        served("orders_total 3\n# EOF\n", **{TOKENS: str(tmp_path / "token")}) as token,
        scraped(prometheus_binary, tmp_path, pems, guarded.port, token.port) as prometheus,
    ):
        prometheus.wait_for_scrape("guarded")
        prometheus.wait_for_scrape("token")
        # The last value: a scrape that fails, as on a machine that stands still, ends the series until the next one.
        assert prometheus.value('last_over_time(orders_total{job="guarded"}[1h])') == 7
        assert prometheus.value('last_over_time(orders_total{job="token"}[1h])') == 3
        # It may still be writing its question when the page, which has seen no certificate, ends the connection.
        wait_until_down(prometheus, "stranger", r"down .*(certificate|tls|broken pipe|reset by peer)")
        wait_until_down(prometheus, "nobody", "down server returned HTTP status 401")
        assert prometheus.value('max(max_over_time(up{job=~"stranger|nobody"}[1h]))') == 0

        # Both sides read the same file again by themselves.
        (tmp_path / "token.new").write_text("second-token\n")
        (tmp_path / "token.new").replace(tmp_path / "token")
        prometheus.wait_for_scrape("token", 2)
        # So does a password that Prometheus does not know yet: the page shuts until it does.
        (tmp_path / "users.new").write_text("prometheus:battery staple\n")
        (tmp_path / "users.new").replace(tmp_path / "users")
        wait_until_down(prometheus, "guarded", "down server returned HTTP status 401")
        (tmp_path / "password").write_text("battery staple")
        prometheus.wait_for_scrape("guarded")
