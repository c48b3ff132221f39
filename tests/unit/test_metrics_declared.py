"""Metrics that users declare: two lines to a series, and no mistake that stops the application."""

from __future__ import annotations

import re
import subprocess
import sys
from threading import Barrier, Thread
from typing import Any

import pytest

from otel_distro.metrics import declared
from otel_distro.metrics.declared import counter, gauge, histogram
from tests.meters import instruments, reading


def test_a_counter_takes_its_labels_by_name_or_in_order() -> None:
    signups = counter("d_signups", "New accounts.", labels=("plan", "country"))
    with reading() as got:
        signups.labels(plan="pro", country="CN").inc()
        signups.labels(country="CN", plan="pro").inc(2)
        signups.labels("pro", "CN").inc(0.5)
        signups.labels("free", "CN").inc()
    assert got.value("d_signups", plan="pro", country="CN") == 3.5
    assert got.value("d_signups", plan="free", country="CN") == 1
    assert instruments()["d_signups"] == ("otel_distro.declared", "", "New accounts.")


def test_without_labels_the_metric_is_its_own_series() -> None:
    starts, depth, size = counter("d_starts"), gauge("d_depth"), histogram("d_size", buckets=(1, 10))
    with reading() as got:
        starts.inc()
        starts.labels().inc(2)
        depth.set(5)
        depth.inc(2)
        depth.dec()
        size.observe(3)
        with size.time():
            pass
    assert got.value("d_starts") == 3
    assert got.gauge("d_depth") == 6
    assert got.count("d_size") == 2
    assert got.bounds("d_size") == (1, 10)


def test_a_series_is_bound_once() -> None:
    signups = counter("d_bound_once", labels=("plan",))
    assert signups.labels(plan="pro") is signups.labels("pro")
    assert signups.labels("1") is signups.labels(1)
    assert signups.labels("x" * 2000) is signups.labels("x" * 3000)


def test_label_values_are_apart_up_to_1_kb_and_what_is_cut_is_counted() -> None:
    program = """
from urllib.request import urlopen
from otel_distro import counter, start_metrics_server

server = start_metrics_server(0)
logins = counter("logins", labels=("agent",))
for agent in ("x" * 500 + "a", "x" * 500 + "b", "y" * 2000, "y" * 3000):
    logins.labels(agent).inc()
print(urlopen(server.url).read().decode())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    logins = re.findall(r'^logins_total{agent="(\w+)"} (\d+)$', done.stdout, re.MULTILINE)
    assert logins == [("x" * 500 + "a", "1"), ("x" * 500 + "b", "1"), ("y" * 1024, "2")]
    assert 'otel_distro_label_values_cut_total{instrument="logins"} 2\n' in done.stdout


def test_declared_before_any_provider_exists_it_counts_from_the_provider_on() -> None:
    program = """
from otel_distro import counter, gauge, histogram
signups = counter("signups_total", labels=("plan",))
latency = histogram("latency_seconds")
pro = signups.labels("pro")
pro.inc()
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
pro.inc(41)
latency.observe(0.3)
found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
print([(m.name, m.unit, getattr(p, "value", None) or p.bucket_counts) for m in found for p in m.data.data_points])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[('signups', '', 41), ('latency', 's', (0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0))]"
    assert done.stderr == ""


def test_importing_the_module_registers_nothing() -> None:
    program = (
        "import sys, threading; from opentelemetry import metrics; import otel_distro.metrics.declared, "
        "otel_distro.business, otel_distro.decorators; "
        "print(len(otel_distro.metrics.declared._all), metrics.get_meter_provider()._meters, threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "0 [] 1"


def test_declared_twice_alike_it_is_one_object() -> None:
    first = counter("d_twice_total", "First words.", labels=("plan",))
    assert counter("d_twice", "Other words.", labels=["plan"]) is first


CONFLICTS: list[tuple[str, Any]] = [
    ("other labels", lambda: counter("d_conflict_1", labels=("country",))),
    ("another kind", lambda: gauge("d_conflict_2", labels=("plan",))),
    ("another unit that is scraped alike", lambda: counter("d_conflict_3", labels=("plan",), unit="{account}")),
]


@pytest.mark.parametrize(
    ("number", "again"),
    [(number, row[1]) for number, row in enumerate(CONFLICTS, 1)],
    ids=[row[0] for row in CONFLICTS],
)
def test_declared_twice_otherwise_the_first_one_stays_and_the_second_does_nothing(
    number: int, again: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first = counter(f"d_conflict_{number}", labels=("plan",))
    second = again()
    with reading() as got:
        first.labels("pro").inc()
        child = second.labels("pro", anything="goes")
        child.inc(7)
    assert got.changed() == {f"d_conflict_{number}"}
    assert got.value(f"d_conflict_{number}", plan="pro") == 1
    assert len(caplog.records) == 1
    assert f"'d_conflict_{number}' does nothing: it is declared elsewhere as a counter" in caplog.text
    assert "(labels: plan); rename one of them" in caplog.text


BAD_DECLARATIONS: list[tuple[str, Any, str]] = [
    ("a bad name", lambda: counter("d bad name"), "counter 'd bad name' does nothing: the name must start"),
    ("no name", lambda: gauge(None), "gauge 'None' does nothing: the name must start"),  # type: ignore[arg-type]
    ("bad labels", lambda: histogram("d_bad_labels", labels=("a b",)), "'d_bad_labels' does nothing: labels must"),
    ("a bad unit", lambda: counter("d_bad_unit", unit="µ"), "'d_bad_unit' does nothing: the unit must"),
    ("a bad minimum", lambda: gauge("d_bad_min", minimum="x"), "'d_bad_min' does nothing: the minimum"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(
    ("declare", "message"), [r[1:] for r in BAD_DECLARATIONS], ids=[r[0] for r in BAD_DECLARATIONS]
)
def test_a_declaration_that_cannot_be_used_warns_once_and_does_nothing(
    declare: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with reading() as got:
        metric = declare()
        declare()
        for series in (metric, metric.labels(), metric.labels("a", "b"), metric.labels(plan="pro")):
            for measure in ("inc", "dec", "set", "observe"):
                if hasattr(series, measure):
                    getattr(series, measure)(1)
    assert got.changed() == set()
    assert len(caplog.records) == 1
    assert message in caplog.text


def test_buckets_that_cannot_be_used_give_way_to_the_default_ones(caplog: pytest.LogCaptureFixture) -> None:
    latency = histogram("d_bad_buckets_seconds", buckets=(5, 1))
    with reading() as got:
        latency.observe(0.2)
    assert got.bounds("d_bad_buckets")[:3] == (0.005, 0.01, 0.025)
    assert "'d_bad_buckets_seconds': buckets must be finite numbers, each larger" in caplog.text


def test_buckets_of_none_make_a_summary() -> None:
    latency = histogram("d_summary_seconds", buckets=())
    with reading() as got:
        latency.observe(0.2)
    assert got.bounds("d_summary") == ()
    assert got.count("d_summary") == 1


WRONG_LABELS: list[tuple[str, Any, str]] = [
    ("another name", lambda metric: metric.labels(plna="pro"), "the labels plna"),
    ("one too many by name", lambda metric: metric.labels(plan="pro", country="CN"), "the labels country, plan"),
    ("one too many by position", lambda metric: metric.labels("pro", "CN"), "the labels 2 values by position"),
    ("by name and position", lambda metric: metric.labels("pro", plan="pro"), "1 values by position and plan"),
    ("none", lambda metric: metric.labels(), "no labels"),
    ("measured without", lambda metric: metric, "no labels"),
    ("called self", lambda metric: metric.labels(self="pro"), "the labels self"),
]


@pytest.mark.parametrize(("ask", "given"), [row[1:] for row in WRONG_LABELS], ids=[row[0] for row in WRONG_LABELS])
def test_wrong_labels_are_counted_and_warned_of_and_record_nothing(
    ask: Any, given: str, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    name = "d_wrong_" + request.node.callspec.id.replace(" ", "_")
    signups = counter(name, labels=("plan",))
    with reading() as got:
        ask(signups).inc()
    assert got.changed() == {"otel_distro_rejected"}
    assert got.value("otel_distro_rejected", instrument=f"{name}_total") == 1
    assert f"metric {name}_total got" in caplog.text
    assert given in caplog.text
    assert "declared with labels plan" in caplog.text


def test_labels_on_a_metric_without_any_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    with reading() as got:
        counter("d_no_labels").labels(plan="pro").inc()
    assert got.value("otel_distro_rejected", instrument="d_no_labels_total") == 1
    assert "is declared with no labels; call it without" in caplog.text


def test_a_program_that_makes_up_names_is_stopped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(declared, "DECLARED_LIMIT", 0)
    with reading() as got:
        counter("d_one_too_many").inc()
    assert got.changed() == set()
    assert "tell series apart by labels" in caplog.text


def test_of_two_that_bind_a_series_at_once_both_get_the_same() -> None:
    depth = gauge("d_at_once", labels=("queue",))
    bind = depth._bind
    others: list[Any] = []

    def bind_while_another_does(attributes: dict[str, str]) -> Any:
        depth._bind = bind
        others.append(depth.labels("mail"))
        return bind(attributes)

    depth._bind = bind_while_another_does
    assert depth.labels("mail") is others[0]
    assert depth.labels("mail") is others[0]


def test_many_threads_share_one_series() -> None:
    signups = counter("d_threads", labels=("plan",))
    start = Barrier(8)
    seen: list[Any] = []

    def run() -> None:
        start.wait()
        child = signups.labels(plan="pro")
        seen.append(child)
        for _ in range(500):
            child.inc()

    with reading() as got:
        threads = [Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got.value("d_threads", plan="pro") == 4000
    assert len(set(map(id, seen))) == 1
