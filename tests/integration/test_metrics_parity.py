"""Fast recording against the unmodified SDK: the same measurements give the same metrics, whatever they are."""

from __future__ import annotations

import copy
import logging
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    TraceBasedExemplarFilter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource

from otel_distro.internals import metrics_sdk
from otel_distro.metrics import recording
from otel_distro.metrics.collected import add_collected
from otel_distro.metrics.families import Distribution, Families, labels_of
from otel_distro.metrics.limits import Limits
from otel_distro.metrics.reader import PrometheusReader

POINT_FIELDS = (
    *("value", "count", "sum", "min", "max", "bucket_counts", "explicit_bounds"),
    *("scale", "zero_count", "positive", "negative", "flags"),
)
RESERVOIR = "opentelemetry.sdk.metrics._internal.exemplar.exemplar_reservoir"
DELTA, CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE
SYNCHRONOUS = ("counter", "up_down_counter", "histogram", "gauge")
OBSERVED = ("observable_counter", "observable_up_down_counter", "observable_gauge")


class Word(str):
    """A text of a type of its own, as the members of many enumerations are."""

    __slots__ = ()


class Number(float):
    """A number as NumPy has them: a float of another type."""

    __slots__ = ()


class Alike:
    """Something that has keys and values and is no mapping."""

    def __iter__(self) -> Iterator[str]:
        return iter(("a",))

    def values(self) -> list[str]:
        return ["x"]


class Unwilling:
    """Attributes that raise when they are asked whether they are empty, as arrays do."""

    def __bool__(self) -> bool:
        raise ValueError("the truth of this is ambiguous")


@dataclass
class Instrument:
    kind: str
    unit: str = ""
    bounds: tuple[float, ...] | None = None


@dataclass
class Measure:
    instrument: int
    amount: Any
    attributes: Any = None
    context: str = "none"
    by_name: bool = False


@dataclass
class Observe:
    """What the callbacks of an observable instrument report from now on: a list for each; None raises."""

    instrument: int
    reports: list[list[tuple[Any, Any]] | None]


@dataclass
class Do:
    what: str  # collect, page, add, remove, shutdown, fork, disable, enable
    which: int = 0


@dataclass
class Program:
    instruments: list[Instrument]
    views: list[dict[str, Any]] = field(default_factory=list)
    readers: list[tuple[str, str]] = field(default_factory=lambda: [("cumulative", ""), ("delta", "")])
    exemplars: str = "trace_based"
    steps: list[Any] = field(default_factory=list)


AGGREGATIONS: dict[str, Callable[[], Any]] = {
    "sum": SumAggregation,
    "last": LastValueAggregation,
    "explicit": lambda: ExplicitBucketHistogramAggregation((0, 1, 10.5)),
    "summary": lambda: ExplicitBucketHistogramAggregation((), record_min_max=False),
    "exponential": ExponentialBucketHistogramAggregation,
    "drop": DropAggregation,
}
FILTERS: dict[str, Callable[[], Any]] = {
    "trace_based": TraceBasedExemplarFilter,
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
}


def _span(sampled: int) -> Context:
    span_context = trace.SpanContext(2**100 + sampled, 2**60 + sampled, False, trace.TraceFlags(sampled))
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context), Context())


CONTEXTS: dict[str, Context | None] = {
    "none": None,
    "attached": None,
    "attached and empty": Context(),
    "empty": Context(),
    "sampled": _span(1),
    "unsampled": _span(0),
    "no span": context_api.set_value(next(iter(_span(1))), "no span at all", Context()),
}


class Run:
    """One program on one SDK: everything that can be seen of it.

    A fork leaves the unmodified SDK's totals in the child; what ours has to be there is what a fresh one is.
    """

    def __init__(self, program: Program, *, ours: bool) -> None:
        self.ours = ours
        self.program = program
        self.seen: list[Any] = []
        self.pages: list[dict[str, Any]] = []
        self.reports: dict[int, list[Any]] = {}
        self.enabled = True
        self.kinds = list(program.readers)
        self._start()

    def _start(self) -> None:
        program = self.program
        self.page_reader: Any = PrometheusReader(limits=Limits(10**6)) if self.ours else InMemoryMetricReader()
        self.readers: list[Any] = [_reader(*kind) for kind in self.kinds]
        self.provider = MeterProvider(
            [self.page_reader, *self.readers],
            resource=Resource({}),
            shutdown_on_exit=False,
            views=[_view(view) for view in program.views],
            exemplar_filter=FILTERS[program.exemplars](),
        )
        meter = self.provider.get_meter("parity", "1", attributes={"k": 1})
        self.instruments = [self._instrument(meter, n, kind) for n, kind in enumerate(program.instruments)]

    def _instrument(self, meter: Any, number: int, instrument: Instrument) -> Any:
        more: dict[str, Any] = {"unit": instrument.unit, "description": f"Instrument {number}"}
        if instrument.kind == "histogram":
            more["explicit_bucket_boundaries_advisory"] = instrument.bounds
        if instrument.kind in OBSERVED:
            more["callbacks"] = [self._callback(number, 0), self._callback(number, 1)]
        return getattr(meter, f"create_{instrument.kind}")(f"I{number}", **more)

    def _callback(self, number: int, which: int) -> Any:
        def callback(_: CallbackOptions) -> list[Observation]:
            reports = self.reports.get(number, [])
            report = reports[which] if which < len(reports) else []
            return [Observation(*one) for one in report]

        return callback

    def run(self) -> Run:
        for step in [*self.program.steps, Do("collect", 0), Do("collect", 1), Do("page")]:
            if isinstance(step, Measure):
                self.seen.append(self._measure(step))
            elif isinstance(step, Observe):
                self.reports[step.instrument] = step.reports
            else:
                getattr(self, f"_{step.what}")(step.which)
        return self

    def _measure(self, step: Measure) -> str:
        instrument = self.instruments[step.instrument]
        kind = self.program.instruments[step.instrument].kind
        method = getattr(instrument, {"histogram": "record", "gauge": "set"}.get(kind, "add"))
        attributes = step.attributes
        if type(attributes) in (dict, list):
            attributes = copy.deepcopy(attributes)
        token = context_api.attach(_span(1)) if step.context.startswith("attached") else None
        context = CONTEXTS[step.context]
        try:
            if step.by_name:
                method(amount=step.amount, attributes=attributes, context=context)
            else:
                method(step.amount, attributes, context)
        except Exception as error:  # noqa: BLE001 -- whatever it is, both have to raise it
            return type(error).__name__
        finally:
            if token is not None:
                context_api.detach(token)
            if isinstance(attributes, dict):
                attributes["later"] = attributes.pop("a", None)
        return ""

    def _collect(self, which: int) -> None:
        if which < len(self.readers):
            try:
                # Always on, the SDK leaves an old span's ids with a newer measurement that had no span.
                ids = self.program.exemplars != "always_on"
                self.seen.append(_points(self.readers[which].get_metrics_data(), ids=ids))
            except Exception as error:  # noqa: BLE001 -- the SDK fails to merge some exponential histograms
                self.seen.append(str(error))

    def _page(self, _: int) -> None:
        families = Families()
        if self.ours:
            self.page_reader.collect()
            self.page_reader._merger.add_to(families, scope_labels=False)
            self.pages.append({"families": families})
        else:
            try:
                data = self.page_reader.get_metrics_data()
            except Exception:  # noqa: BLE001 -- the SDK fails to merge some exponential histograms
                self.pages.append({})
                return
            if data is not None:
                add_collected(families, data, scope_labels=False)
            self.pages.append({"families": families, "ambiguous": _ambiguous(data)})

    def _add(self, which: int) -> None:
        self.kinds.append((("delta", "cumulative")[which % 2], ""))
        reader = _reader(*self.kinds[-1])
        self.readers.append(reader)
        self.provider.add_metric_reader(reader)

    def _remove(self, which: int) -> None:
        if which < len(self.readers):
            del self.kinds[which]
            self.provider.remove_metric_reader(self.readers.pop(which))

    def _shutdown(self, which: int) -> None:
        if which < len(self.readers):
            self.readers[which].shutdown()

    def _fork(self, _: int) -> None:
        if self.ours:
            self.page_reader.after_fork()
        else:
            self._start()
            self._configure(enabled=self.enabled)

    def _disable(self, _: int) -> None:
        self._configure(enabled=False)

    def _enable(self, _: int) -> None:
        self._configure(enabled=True)

    def _configure(self, *, enabled: bool) -> None:
        self.enabled = enabled
        config = import_module("opentelemetry.sdk.metrics._internal")._MeterConfig
        self.provider._set_meter_configurator(meter_configurator=lambda _: config(is_enabled=enabled))


def _reader(temporality: str, aggregation: str) -> InMemoryMetricReader:
    kinds = (Counter, UpDownCounter, Histogram, ObservableCounter)
    preferred: Any = dict.fromkeys((Counter, Histogram), AGGREGATIONS[aggregation]()) if aggregation else None
    wanted: Any = dict.fromkeys(kinds, DELTA if temporality == "delta" else CUMULATIVE)
    return InMemoryMetricReader(preferred_temporality=wanted, preferred_aggregation=preferred)


def _view(view: dict[str, Any]) -> View:
    arguments = dict(view)
    if "aggregation" in arguments:
        arguments["aggregation"] = AGGREGATIONS[arguments["aggregation"]]()
    return View(**arguments)


def _typed(value: Any) -> Any:
    """Return a value that equals another one only where the types are the same as well."""
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(_typed, value)]
    if isinstance(value, (dict, MappingProxyType)):
        return {key: _typed(one) for key, one in value.items()}
    return type(value).__name__, repr(value)


def _points(data: Any, *, ids: bool) -> list[Any]:
    points: list[Any] = []
    for resource_metrics in data.resource_metrics if data else ():
        for scope_metrics in resource_metrics.scope_metrics:
            # In the order of their first measurements, which before a fork may have been another.
            for metric in sorted(scope_metrics.metrics, key=lambda metric: metric.name):
                points.append((metric.name, metric.unit, metric.description, type(metric.data).__name__))
                points.append(
                    [getattr(metric.data, name, None) for name in ("aggregation_temporality", "is_monotonic")]
                )
                points.extend(_point(point, ids=ids) for point in metric.data.data_points)
    return points


def _point(point: Any, *, ids: bool) -> dict[str, Any]:
    exemplars = [
        (_typed(e.value), (e.trace_id, e.span_id) if ids else None, _typed(e.filtered_attributes))
        for e in point.exemplars
    ]
    return {
        "attributes": _typed(point.attributes),
        "exemplars": exemplars,
        **{name: _typed(getattr(point, name)) for name in POINT_FIELDS if hasattr(point, name)},
    }


def _ambiguous(data: Any) -> set[Any]:
    """Return the gauges that stand on the page under one set of labels several times; there the later one is shown."""
    labels: list[Any] = []
    for resource_metrics in data.resource_metrics if data else ():
        for metric in resource_metrics.scope_metrics[0].metrics:
            labels += [(metric.name, labels_of(point.attributes or {})) for point in metric.data.data_points]
    return {one for one in labels if labels.count(one) > 1}


def _same_page(stock: dict[str, Any], ours: dict[str, Any], tolerance: float) -> None:
    expected = {family.name: family for family in stock["families"]}
    found = {family.name: family for family in ours["families"]}
    assert expected.keys() == found.keys()
    for name, family in expected.items():
        other = found[name]
        assert (family.kind, family.help, family.unit, family.additive) == (
            other.kind,
            other.help,
            other.unit,
            other.additive,
        )
        assert family.series.keys() == other.series.keys()
        for labels, value in family.series.items():
            if family.additive or not any(labels == one for _, one in stock["ambiguous"]):
                _same_value(value, other.series[labels], tolerance)


def _same_value(stock: Any, ours: Any, tolerance: float) -> None:
    if isinstance(stock, Distribution):
        assert (stock.count, stock.bounds, stock.counts) == (ours.count, ours.bounds, ours.counts)
        stock, ours = stock.sum, ours.sum
    assert math.isclose(float(stock), float(ours), rel_tol=1e-9, abs_tol=tolerance), (stock, ours)


def _same(stock: Any, ours: Any, tolerance: float) -> bool:
    """Say whether two runs saw the same; fractions may differ by what the order of adding them changes."""
    if isinstance(stock, dict):
        return stock.keys() == ours.keys() and all(_same(one, ours[key], tolerance) for key, one in stock.items())
    if isinstance(stock, (list, tuple)):
        if tuple(stock[:1]) == tuple(ours[:1]) == ("float",) and len(stock) == 2:
            one, other = float(stock[1]), float(ours[1])
            return stock == ours or math.isclose(one, other, rel_tol=1e-9, abs_tol=tolerance)
        return len(stock) == len(ours) and all(_same(*pair, tolerance) for pair in zip(stock, ours, strict=True))
    return bool(stock == ours)


def check(program: Program) -> None:
    """Run the program on both and compare everything, to the last digit where there is one reader beside the page."""
    recording.uninstall()
    stock = Run(program, ours=False).run()
    sdk = metrics_sdk()
    assert sdk is not None
    recording.install(sdk)
    try:
        ours = Run(program, ours=True).run()
    finally:
        recording.uninstall()
    several = len(program.readers) > 1 or any(isinstance(step, Do) and step.what == "add" for step in program.steps)
    amounts = [float(s.amount) for s in program.steps if isinstance(s, Measure) and _is_finite(s.amount)]
    tolerance = 1e-9 * max([1.0, *map(abs, amounts)])
    assert ours.seen == stock.seen or (several and _same(stock.seen, ours.seen, tolerance))
    assert len(stock.pages) == len(ours.pages)
    for theirs, mine in zip(stock.pages, ours.pages, strict=True):
        if not theirs:
            break  # the SDK has lost what it could not merge
        _same_page(theirs, mine, tolerance)


def _is_finite(amount: Any) -> bool:
    try:
        return math.isfinite(amount)
    except (OverflowError, TypeError):
        return False


@pytest.fixture(autouse=True)
def _installed_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave fast recording as it was: other tests of this process may rest on it; keep warnings quiet."""
    before = bool(recording._originals)
    logging.disable(logging.ERROR)
    # Which measurement becomes the exemplar is drawn by lot: here both draw the same.
    monkeypatch.setattr(RESERVOIR + ".randrange", lambda _, end: end // 2)
    monkeypatch.setattr("otel_distro.metrics.reservoir.random", lambda: 0.5)
    yield
    logging.disable(logging.NOTSET)
    recording.uninstall()
    sdk = metrics_sdk()
    if before and sdk is not None:
        recording.install(sdk)


KEYS = st.sampled_from(["a", "b", "a.b", "a_b", "http.route", "é", ""])
SCALARS = st.one_of(
    st.sampled_from(
        ["x", "1", "true", "", "ä", True, False, 1, 0, 1.0, 0.0, -0.0, math.inf, None, b"x", b"\xff", 2**60]
    ),
    st.sampled_from([Word("word"), Number(2.5)]),
    st.integers(-3, 3),
)
VALUES = st.one_of(
    SCALARS,
    SCALARS,
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.lists(SCALARS, max_size=2).map(tuple),
    st.dictionaries(KEYS, SCALARS, max_size=2),
    st.sampled_from([Decimal("1.5"), Alike]),
)
ATTRIBUTES = st.one_of(
    st.none(),
    st.dictionaries(KEYS, st.sampled_from(["x", "y"]), max_size=3),
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.dictionaries(KEYS, VALUES, max_size=2).map(MappingProxyType),
    st.dictionaries(st.sampled_from([1, True, None, "a"]), SCALARS, max_size=2),
    st.just({f"k{n}": "v" for n in range(40)}),
    st.sampled_from([5, 0, "ab", "", ["a"], [], ("a", "b"), Alike(), object(), Unwilling(), frozenset("a")]),
)
EIGHTHS = st.integers(-80, 800).map(lambda number: number / 8)
AMOUNTS = st.one_of(
    st.integers(0, 20),
    EIGHTHS,
    st.sampled_from([0, 1, 1.0, -1, True, False, -0.0, 0.1, 1e-9, 2**53 + 1, 2**60, -(2**60), Number(2.5), Number(-1)]),
    st.sampled_from([math.nan, math.inf, -math.inf, 10**400, "1", None]),
)
INSTRUMENTS = st.builds(
    Instrument,
    st.sampled_from([*SYNCHRONOUS, *SYNCHRONOUS, *OBSERVED]),
    st.sampled_from(["", "s", "By", "{thing}", "1"]),
    st.sampled_from([None, (), (1.0, 2.5), (0, 5, 10), (-1.0,)]),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Return a program of any instruments, views, readers and steps."""
    instruments = draw(st.lists(INSTRUMENTS, min_size=1, max_size=3))
    numbers = st.integers(0, len(instruments) - 1)
    attributes = draw(st.lists(ATTRIBUTES, min_size=1, max_size=4))
    chosen = st.sampled_from(attributes)
    observation = st.tuples(st.one_of(st.integers(-5, 50), EIGHTHS, st.just(math.nan)), chosen.filter(_observable))
    reports = st.lists(st.one_of(st.lists(observation, max_size=3), st.just(None)), max_size=2)
    synchronous = [n for n, one in enumerate(instruments) if one.kind in SYNCHRONOUS]
    observed = [n for n, one in enumerate(instruments) if one.kind in OBSERVED]
    contexts = st.sampled_from(
        ["none", "none", "none", "empty", "sampled", "unsampled", "no span", *["attached"] * 2, "attached and empty"]
    )
    steps: list[st.SearchStrategy[Any]] = [st.builds(Do, st.sampled_from(["collect", "page"]), st.integers(0, 2))]
    steps.append(
        st.builds(
            Do, st.sampled_from(["add", "remove", "shutdown", "fork", "disable", "enable", "enable"]), st.integers(0, 2)
        )
    )
    if synchronous:
        measures = st.builds(Measure, st.sampled_from(synchronous), AMOUNTS, chosen, contexts, st.booleans())
        steps += [measures] * 6
    if observed:
        steps += [st.builds(Observe, st.sampled_from(observed), reports)] * 2
    views = st.lists(numbers.flatmap(_views), max_size=3, unique_by=lambda view: view.get("name", id(view)))
    return Program(
        instruments,
        draw(views),
        draw(
            st.lists(
                st.tuples(
                    st.sampled_from(["delta", "cumulative"]),
                    st.sampled_from(["", "", "", "exponential", "last", "summary"]),
                ),
                min_size=1,
                max_size=2,
            )
        ),
        draw(st.sampled_from(["trace_based", "trace_based", "always_off", "always_on"])),
        draw(st.lists(st.one_of(steps), max_size=25)),
    )


def _observable(attributes: Any) -> bool:
    return attributes is None or isinstance(attributes, dict)


@st.composite
def _views(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """Return the arguments of a view: for all instruments, or for one, which it may give another name."""
    view: dict[str, Any] = {"instrument_name": draw(st.sampled_from(["*", f"i{number}", f"i{number}"]))}
    if view["instrument_name"] != "*" and draw(st.booleans()):
        view["name"] = draw(st.sampled_from(["renamed", "other"])) + str(number)
    if draw(st.booleans()):
        view["attribute_keys"] = draw(st.sets(st.sampled_from(["a", "b", "k1"]), max_size=2))
    if draw(st.booleans()):
        view["aggregation"] = draw(st.sampled_from(sorted(AGGREGATIONS)))
    return view


@given(programs())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@example(
    Program(
        [Instrument("counter")],
        steps=[Measure(0, 1, {"a": value}) for value in ((1,), (True,), (1.0,), True, 1, 1.0, "1", True, 1, 1.0)],
    )
)
@example(
    # The SDK takes an empty context for none.
    Program([Instrument("counter")], steps=[Measure(0, 1), Measure(0, 1, None, "attached and empty")])
)
@example(Program([Instrument("counter")], steps=[Measure(0, 1), Do("collect", 1), Measure(0, True), Do("collect", 1)]))
@example(
    Program([Instrument("histogram")], steps=[Measure(0, 1), Do("collect", 1), Measure(0, Number(2)), Do("collect", 1)])
)
@example(
    Program(
        [Instrument("observable_counter")],
        [{"instrument_name": "i0", "attribute_keys": set()}],
        steps=[Observe(0, [[(1, {"a": "x"}), (2, {"a": "y"})], [(4, None)]]), Do("page"), Do("collect")],
    )
)
@example(
    Program(
        [Instrument("observable_gauge")],
        [{"instrument_name": "i0", "aggregation": "explicit"}],
        steps=[Observe(0, [[(1, None)]]), Do("page"), Do("page")],
    )
)
@example(
    # An exemplar keeps the attributes as they were at the call.
    Program(
        [Instrument("histogram")],
        [{"instrument_name": "i0", "attribute_keys": set()}],
        steps=[Measure(0, 1, {"a": "x"}, "sampled"), Do("collect", 0), Measure(0, 2, {"a": "x"}, "sampled")],
    )
)
@example(
    # What a reader has not collected for long stays one exemplar a bucket, the last.
    Program(
        [Instrument("histogram", "", (1.0, 2.0)), Instrument("counter")],
        steps=[Measure(n, amount, {"a": "x"}, "sampled") for n in (0, 1) for amount in (1, 0.5, 3, 1.5, 2, True)],
    )
)
@example(
    Program(
        [Instrument("gauge")],
        steps=[Measure(0, 1), Do("disable"), Measure(0, 2), Do("collect", 1), Do("enable"), Measure(0, 3)],
    )
)
@example(
    Program(
        [Instrument("up_down_counter")],
        steps=[Measure(0, 1), Do("add"), Measure(0, -2), Do("collect", 2), Do("remove", 0), Measure(0, 3)],
    )
)
@example(
    # Least and greatest are of the interval, in the type that they came in; what came before a reader is not its.
    Program(
        [Instrument("histogram", "", (1.0, 2.0))],
        readers=[("delta", "")],
        steps=[
            *(Measure(0, amount) for amount in (3, 1.0, 1, 2.5)),
            *(Do("collect"), Do("collect"), Measure(0, 2), Measure(0, 2.0), Do("add", 0), Do("add", 1)),
            *(Measure(0, 1.5), Do("collect", 2), Measure(0, 1), Do("collect"), Do("collect", 1), Do("remove", 1)),
            *(Measure(0, 0), Do("fork"), Measure(0, 7), Do("collect"), Measure(0, 5), Do("shutdown"), Measure(0, 6)),
        ],
    )
)
@example(
    # Nothing added is something measured; a whole number stays one, also where no double can hold it.
    Program(
        [Instrument("counter"), Instrument("up_down_counter"), Instrument("gauge")],
        steps=[
            *(Measure(n, amount) for n in range(3) for amount in (2**53 + 1, 2**53 + 1, 3)),
            *(Do("collect"), Do("collect", 1), *(Measure(n, 0) for n in range(3)), Do("collect", 1), Do("collect", 1)),
            *(Measure(n, amount) for n in range(3) for amount in (0.5, 1, True, 2, 0.5)),
        ],
    )
)
def test_any_program_gives_the_metrics_that_the_unmodified_sdk_gives(program: Program) -> None:
    check(program)


def _points_of(reader: InMemoryMetricReader) -> list[Any]:
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return [point for metric in metrics for point in metric.data.data_points]


@contextmanager
def _threads(measures: list[Callable[[], None]]) -> Iterator[Callable[[], bool]]:
    """Run functions at once, with as many switches between them as can be; give what says whether any is running."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    running = [threading.Thread(target=measure) for measure in measures]
    try:
        for thread in running:
            thread.start()
        yield lambda: any(thread.is_alive() for thread in running)
        for thread in running:
            thread.join()
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("temporality", ["delta", "cumulative"])
def test_threads_and_collections_at_once_lose_nothing(temporality: str) -> None:
    sdk = metrics_sdk()
    assert sdk is not None
    recording.install(sdk)
    page, memory = PrometheusReader(), _reader(temporality, "")
    provider = MeterProvider([page, memory], resource=Resource({}), shutdown_on_exit=False)
    meter = provider.get_meter("threads")
    counter, histogram = meter.create_counter("c"), meter.create_histogram("h")
    rounds, threads = 3000, 6
    sums: dict[Any, list[int]] = {}

    def measure(number: int) -> None:
        for index in range(rounds):
            counter.add(1, {"thread": "all"})
            histogram.record(index % 7, {"thread": str(number % 2)})

    def collect() -> None:
        data = memory.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else ():
            for point in metric.data.data_points:
                counted: Any = point.value if isinstance(point, NumberDataPoint) else point.count
                sums.setdefault((metric.name, *(point.attributes or {}).values()), []).append(int(counted))

    with _threads([partial(measure, number) for number in range(threads)]) as running:
        while running():
            page.page()
            collect()
    collect()
    total = sum if temporality == "delta" else max
    assert {key: total(counts) for key, counts in sums.items()} == {
        ("c", "all"): rounds * threads,
        ("h", "0"): rounds * threads // 2,
        ("h", "1"): rounds * threads // 2,
    }
    text = page.page().decode()
    assert f'c_total{{thread="all"}} {rounds * threads}\n' in text
    assert f'h_count{{thread="1"}} {rounds * threads // 2}\n' in text
    assert f'h_sum{{thread="1"}} {sum(index % 7 for index in range(rounds)) * threads // 2}\n' in text


def test_what_a_point_says_belongs_together_whatever_threads_do() -> None:
    sdk = metrics_sdk()
    assert sdk is not None
    recording.install(sdk)
    delta, cumulative = _reader("delta", ""), _reader("cumulative", "")
    provider = MeterProvider([PrometheusReader(), delta, cumulative], resource=Resource({}), shutdown_on_exit=False)
    histogram = provider.get_meter("threads").create_histogram("h", explicit_bucket_boundaries_advisory=[1, 2])
    bound = recording.bind(histogram.record, {"a": "x"})
    rounds = 10_000

    def by_name() -> None:
        for _ in range(rounds):
            histogram.record(2, {"a": "x"})

    def by_child() -> None:
        for _ in range(rounds):
            bound(2)

    # Else the SDK may show the new series before its first measurement.
    histogram.record(2, {"a": "x"})
    deltas: list[Any] = []
    totals: list[Any] = []
    with _threads([by_name, by_child]) as running:
        while running():
            deltas += _points_of(delta)
            totals += _points_of(cumulative)
    deltas += _points_of(delta)
    totals += _points_of(cumulative)
    for point in (*deltas, *totals):
        assert (point.sum, point.bucket_counts) == (2 * point.count, (0, point.count, 0))
        assert (point.min, point.max) == (2, 2)
    assert sum(point.count for point in deltas) == totals[-1].count == 2 * rounds + 1


AMOUNTS_BY_KIND: dict[str, list[Any]] = {
    "Decimal": [Decimal("1.5"), 2, Decimal("0.25"), True],
    "Fraction": [Fraction(1, 4), 2, Fraction(3, 2), 0.5],
    "float of another type": [Number(1.5), Number(2), 1],
    "large": [2**60, 1, 10**30, 2**70],
}


@pytest.mark.parametrize("amounts", AMOUNTS_BY_KIND.values(), ids=AMOUNTS_BY_KIND)
@pytest.mark.parametrize("kind", SYNCHRONOUS)
def test_numbers_of_every_type_are_added_as_the_sdk_adds_them(kind: str, amounts: list[Any]) -> None:
    steps: list[Any] = [Measure(0, amount, {"a": "x"}) for amount in amounts]
    check(Program([Instrument(kind)], steps=[*steps, Do("collect", 1), *steps]))
