"""What a declaration may say, and which names it leads to on a page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_distro.errors import InputError
from otel_distro.metrics.collected import add_collected
from otel_distro.metrics.declaration import SECONDS_BUCKETS, Declaration, checked_buckets, declaration
from otel_distro.metrics.families import COUNTER, Families
from otel_distro.metrics.rejected import LARGEST


def _declare(kind: str = "counter", name: Any = "signups", **particulars: Any) -> Declaration:
    given = {"description": "", "labels": (), "unit": "", "scope": "tests", **particulars}
    return declaration(kind, name, **given)


def _scraped(declared: Declaration) -> str:
    """Return the name that a page made from the real SDK's data shows."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("tests")
    if declared.kind == "counter":
        meter.create_counter(declared.name, declared.unit).add(1)
    elif declared.kind == "gauge":
        meter.create_gauge(declared.name, declared.unit).set(1)
    else:
        meter.create_histogram(declared.name, declared.unit).record(1)
    families = Families()
    data = reader.get_metrics_data()
    assert data is not None
    add_collected(families, data, scope_labels=False)
    (family,) = families
    return family.name + ("_total" if family.kind == COUNTER else "")


NAMES = [
    ("counter", "signups", "", "signups", "", "signups_total"),
    ("counter", "signups_total", "", "signups", "", "signups_total"),
    ("counter", "signups", "{account}", "signups", "{account}", "signups_total"),
    ("counter", "cpu_seconds_total", "", "cpu", "s", "cpu_seconds_total"),
    ("counter", "sent_bytes_total", "By", "sent", "By", "sent_bytes_total"),
    ("counter", "sent", "By", "sent", "By", "sent_bytes_total"),
    ("histogram", "latency_seconds", "", "latency", "s", "latency_seconds"),
    ("histogram", "latency_seconds", "seconds", "latency", "s", "latency_seconds"),
    ("histogram", "latency", "s", "latency", "s", "latency_seconds"),
    ("histogram", "latency", "ms", "latency", "ms", "latency_milliseconds"),
    ("histogram", "body_bytes", "bytes", "body", "By", "body_bytes"),
    ("gauge", "temperature_celsius", "", "temperature_celsius", "", "temperature_celsius"),
    ("gauge", "temperature_celsius", "Cel", "temperature", "Cel", "temperature_celsius"),
    ("gauge", "jobs_total", "", "jobs_total", "", "jobs_total"),
    ("gauge", "seconds", "", "seconds", "", "seconds"),
    ("counter", "total", "", "total", "", "total_total"),
    ("counter", "shop.sign-ups", "", "shop.sign-ups", "", "shop_sign_ups_total"),
    ("counter", "SignUps", "", "signups", "", "signups_total"),
    ("gauge", "x" * 255, "", "x" * 255, "", "x" * 255),
]


@pytest.mark.parametrize(("kind", "written", "unit", "name", "ucum", "scraped"), NAMES)
def test_a_name_in_either_style_is_scraped_as_prometheus_users_expect(
    kind: str, written: str, unit: str, name: str, ucum: str, scraped: str
) -> None:
    declared = _declare(kind, written, unit=unit)
    assert (declared.name, declared.unit, declared.scraped_name) == (name, ucum, scraped)
    assert _scraped(declared) == scraped


@given(
    st.sampled_from(["counter", "gauge", "histogram"]),
    st.from_regex(r"[a-z][a-z0-9_.]{0,20}(_seconds|_bytes|_total)?", fullmatch=True),
    st.sampled_from(["", "s", "By", "1", "{order}", "m/s", "seconds"]),
)
def test_the_name_we_tell_is_always_the_one_on_the_page(kind: str, name: str, unit: str) -> None:
    declared = _declare(kind, name, unit=unit)
    assert declared.scraped_name == _scraped(declared)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("an empty name", {"name": ""}, "the name must start with a letter"),
    ("a name that is no text", {"name": None}, "the name must start with a letter"),
    ("a name with a digit first", {"name": "1st"}, "the name must start with a letter"),
    ("a name with spaces", {"name": "sign ups"}, "the name must start with a letter"),
    ("a name with a line break", {"name": "signups\n"}, "the name must start with a letter"),
    ("a name too long", {"name": "x" * 256}, "at most 255"),
    ("a unit that is no text", {"unit": 1}, "the unit must have"),
    ("a unit beyond ASCII", {"unit": "µs"}, "the unit must have"),
    ("a unit too long", {"unit": "x" * 64}, "at most 63"),
    ("labels that are none", {"labels": 3}, "labels must be names"),
    ("labels that are no text", {"labels": ("plan", 3)}, "labels must be names"),
    ("a label with a dash", {"labels": ("pay-ment",)}, "labels must be names"),
    ("a label twice", {"labels": ("plan", "plan")}, "labels must differ"),
    ("two labels that Prometheus writes alike", {"labels": ("http.route", "http_route")}, "labels must differ"),
    ("a bucket label in a histogram", {"kind": "histogram", "labels": ("le",)}, "keeps the label le"),
    ("a minimum that is no number", {"kind": "gauge", "lowest": "low"}, "the minimum must be"),
    ("a minimum that is not finite", {"kind": "gauge", "lowest": float("nan")}, "the minimum must be"),
]


@pytest.mark.parametrize(("particulars", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_cannot_be_declared_says_what_can(particulars: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _declare(**particulars)


def test_one_label_given_as_text_is_one_label() -> None:
    assert _declare(labels="plan").labels == ("plan",)


def test_a_bucket_label_is_free_for_counters() -> None:
    assert _declare(labels=["le"]).labels == ("le",)


def test_a_description_that_is_no_text_is_left_out() -> None:
    assert _declare(description=None).description == ""


def test_a_histogram_of_seconds_without_buckets_gets_those_for_seconds() -> None:
    assert _declare("histogram", "latency_seconds").buckets == SECONDS_BUCKETS
    assert _declare("histogram", "latency").buckets is None
    assert _declare("histogram", "latency_seconds", buckets=()).buckets == ()


def test_declarations_are_equal_when_they_make_the_same_series() -> None:
    assert _declare("counter", "signups_total", description="one", scope="a") == _declare(description="two", scope="b")
    assert _declare("gauge", lowest=0) != _declare("gauge", lowest=-LARGEST)
    assert _declare(labels=("a", "b")) != _declare(labels=("b", "a"))


@pytest.mark.parametrize(
    ("buckets", "bounds"),
    [
        ((), ()),
        ([1, 2, 5], (1.0, 2.0, 5.0)),
        ((0.5, float("inf")), (0.5,)),
        (range(3), (0.0, 1.0, 2.0)),
        ([-1, 0], (-1.0, 0.0)),
    ],
)
def test_buckets_become_ascending_floats(buckets: Any, bounds: tuple[float, ...]) -> None:
    assert checked_buckets(buckets) == bounds


@pytest.mark.parametrize(
    "buckets",
    [(1, 1), (2, 1), (1, float("nan")), (float("inf"), 1), ("1", "2"), "12", 5, (1, None), (float("-inf"), 0)],
)
def test_buckets_that_do_not_ascend_or_are_no_numbers_are_refused(buckets: Any) -> None:
    with pytest.raises(InputError, match="each larger than the one before"):
        checked_buckets(buckets)
