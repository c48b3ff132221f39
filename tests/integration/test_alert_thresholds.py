"""A real shop just over and just under each threshold: what its page then says fires, or does not, in promtool."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.alert_cases import requests
from tests.alert_cases.model import QUIET, Case, Firing
from tests.alert_cases.render import promtool_file, rendered
from tests.integration.test_shop import Shop, running_shop
from tests.processes import ROOT
from tests.services import prometheus
from tests.support import request, wait_until

FOLDER = ROOT / "collector-config" / "prometheus"
NAMES = ("http_requests_total", "http_request_duration_seconds_bucket", "http_request_duration_seconds_count")
GOOD, BAD = "/health", "/api/fail"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


def counters(shop: Shop) -> dict[str, float]:
    """The request counters of the page, each under its series as Prometheus would have it."""
    found = {}
    for family in text_string_to_metric_families(request(shop.metrics_url).text):
        for sample in family.samples:
            if sample.name in NAMES:
                labels = {"job": "shop", "instance": "app:8000", **sample.labels}
                inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
                found[f"{sample.name}{{{inside}}}"] = sample.value
    return found


def send(shop: Shop, paths: Sequence[str], threads: int) -> list[float]:
    """Send the requests; return how many seconds each took."""

    def seconds(path: str) -> float:
        begun = time.perf_counter()
        request(shop.url + path)
        return time.perf_counter() - begun

    with ThreadPoolExecutor(threads) as clients:
        return list(clients.map(seconds, paths))


def moved(shop: Shop, before: Mapping[str, float]) -> Mapping[str, str]:
    """Return what the page's counters moved by since then, as if by so much each minute."""
    return {series: f"0+{value - before.get(series, 0):.0f}x20" for series, value in counters(shop).items()}


def judged(alert: str, series: Mapping[str, str], firing: Sequence[Firing], folder: Path) -> None:
    """Let promtool say what fires, with the committed rules."""
    case = Case("fires", "on the page of a real shop", alert, series, {"15m": firing})
    (folder / "case.yml").write_text(promtool_file("requests", [rendered(case)], str(FOLDER)))
    assert "SUCCESS" in prometheus.promtool("test", "rules", folder / "case.yml")


@pytest.mark.parametrize(
    ("failing", "firing"),
    [(51, [requests.failing("5.1%")]), (50, QUIET), (49, QUIET)],
    ids=["over at 5.1 %", "not over at 5.0 %", "under at 4.9 %"],
)
def test_the_share_of_failing_requests(failing: int, firing: Sequence[Firing], shop: Shop, tmp_path: Path) -> None:
    before = counters(shop)
    send(shop, [BAD] * failing + [GOOD] * (1000 - failing), threads=8)
    judged("HighErrorRate", moved(shop, before), firing, tmp_path)


# Of 160 requests so many are spread evenly between 1 s and 2.5 s, so that 8 of them (5 %) are beyond the percentile.
@pytest.mark.parametrize(
    ("slow", "firing"),
    [(30, [requests.slow("2.1s")]), (20, QUIET)],
    ids=["over at 2.1 s", "under at 1.9 s"],
)
def test_the_95th_percentile_of_durations(slow: int, firing: Sequence[Firing], shop: Shop, tmp_path: Path) -> None:
    # The longest begin first, before the others are there to hold them up.
    paths = [f"/api/slow?seconds={1.02 + 1.35 * number / slow:.3f}" for number in reversed(range(slow))]

    def series() -> Mapping[str, str]:
        before = counters(shop)
        seconds = send(shop, [*paths, *[GOOD] * (160 - slow)], threads=slow)
        # A machine that stops for a moment makes other durations than these, as the client's clock sees as well.
        in_time = max(seconds[:slow]) < 2.5 and max(seconds[slow:]) < 1
        return moved(shop, before) if in_time else {}

    found = wait_until(series, 200, what="requests that no stop of the machine made longer")
    judged("HighResponseTime", found, firing, tmp_path)
