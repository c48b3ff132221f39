"""What the report draws of each benchmark's tables, and what it holds them to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.benchmarks.svg import Bar, bars, lines
from tests.benchmarks.tables import Table, numbers_of

# Most that was promised, by the name of the variant: times bare and function calls.
TIMES_BARE: Final = {
    "ours, traces + metrics by OTLP": 2.2,
    "ours, three signals + a log line": 2.8,
}
CALLS: Final = {"ours, metrics": 400.0, "ours, traces + metrics by OTLP": 560.0}

Plots = dict[str, str]  # SVG text by the name of the file
Targets = Iterator[tuple[str, str, bool]]  # what was promised, what was measured, whether it is kept


def _bars_of(table: Table, name: str, value: str, spread: str, targets: dict[str, float] | None = None) -> list[Bar]:
    found = []
    for row in table.found():
        middle, ends = table.number(row, value), numbers_of(table.cell(row, spread))
        if middle is not None:
            low, high = ends[-2:] if len(ends) > 1 else (middle, middle)
            label = table.cell(row, name)
            found.append(Bar(label, middle, low, high, (targets or {}).get(label)))
    return found


def flask_plots(found: list[Table]) -> Plots:
    """Draw CPU time and function calls of a request."""
    table = found[0]
    prebound = {row[0]: table.number(row, "x bare") for row in table.found()}.get("by hand, pre-bound")
    promised = {**TIMES_BARE, **({"ours, metrics": prebound} if prebound else {})}
    times = _bars_of(table, "variant", "x bare", "quartiles", promised)
    calls = _bars_of(table, "variant", "function calls", "", CALLS)
    return {
        "flask_cpu.svg": bars(
            "CPU time of a Flask request", "times bare Flask; red: the most that was promised", times
        ),
        "flask_calls.svg": bars("Function calls of a Flask request", "calls; red: the most that was promised", calls),
    }


def flask_targets(found: list[Table]) -> Targets:
    """Return what was promised of a request."""
    table = found[0]
    by_name = {row[0]: row for row in table.found()}
    value = {name: table.number(row, "x bare") or 0.0 for name, row in by_name.items()}
    calls = {name: table.number(row, "function calls") or 0.0 for name, row in by_name.items()}
    hand, metrics = "by hand, pre-bound", "ours, metrics"
    yield (
        "A request with metrics: at most prometheus_client by hand, pre-bound",
        f"x {value[metrics]:.2f} bare against x {value[hand]:.2f}",
        value[metrics] <= value[hand],
    )
    for name, most in TIMES_BARE.items():
        yield (
            f"A request, {name.removeprefix('ours, ')}: at most x {most} bare",
            f"x {value[name]:.2f}",
            value[name] <= most,
        )
    for name, most in CALLS.items():
        what = name.removeprefix("ours, ")
        yield f"A request, {what}: at most {most:.0f} function calls", f"{calls[name]:.0f}", calls[name] <= most


def asgi_targets(found: list[Table]) -> Targets:
    """Return what the hook of Starlette was to cost."""
    table = found[0]
    calls = {row[0]: table.number(row, "calls") or 0.0 for row in table.found()}
    yield (
        "A request of Starlette: fewer function calls than the same metrics by hand",
        f"{calls['ours']:.0f} against {calls['by hand']:.0f}",
        calls["ours"] < calls["by hand"],
    )


def _page_rows(table: Table, column: str) -> dict[str, dict[float, float]]:
    """Return the numbers of a column by page and number of series."""
    found: dict[str, dict[float, float]] = {}
    for row in table.found():
        size, value = table.number(row, "series"), table.number(row, column)
        if size is not None and value is not None:
            found.setdefault(table.cell(row, "page"), {})[size] = value
    return found


def page_plots(found: list[Table]) -> Plots:
    """Draw the CPU time of a page over the number of its series."""
    spent = _page_rows(found[0], "CPU ms, median")
    series = {name: list(line.items()) for name, line in spent.items() if not name.endswith("again")}
    return {"page_cpu.svg": lines("CPU time of one metrics page", "series on the page", "milliseconds", series)}


def page_targets(found: list[Table]) -> Targets:
    """Return what was promised of a page."""
    ratios = _page_rows(found[0], "x prometheus_client")
    for name, of in (("ours", "of one process"), ("ours, 4 processes", "of 4 processes")):
        said = ", ".join(f"{size:,.0f}: x {ratio:.2f}" for size, ratio in ratios[name].items())
        yield (
            f"The page {of}: at most prometheus_client's at each number of series",
            said,
            max(ratios[name].values()) <= 1,
        )
    each = _page_rows(found[0], "µs a series")["ours"]
    first, last = min(each), max(each)
    factor = each[last] / each[first]
    what = f"The page: time a series from {first:,.0f} to {last:,.0f} series grows by no more than a half"
    yield what, f"x {factor:.2f}", factor <= 1.5
    grown = max(max(_page_rows(found[0], "grown MB")[name].values()) for name in ("ours", "ours, 4 processes"))
    yield "The page: peak memory flat from the third page on (1 MB)", f"{grown:.1f} MB", grown <= 1


def recording_plots(found: list[Table]) -> Plots:
    """Draw the cheapest and the dearest way to count."""
    table = found[0]
    plots: Plots = {}
    for file, case in (
        ("recording_attributes.svg", "counter, 3 attributes"),
        ("recording_bound.svg", "counter, bound child"),
    ):
        row = next(row for row in table.rows if row[0] == case)
        wanted = []
        for name in table.heading[1:]:
            numbers = numbers_of(table.cell(row, name))
            if numbers:
                wanted.append(Bar(name, numbers[0], numbers[0], numbers[1]))
        plots[file] = bars(f"One measurement: {case}", "ns: least of the rounds, to their median", wanted)
    return plots


def recording_targets(found: list[Table]) -> Targets:
    """Return what was promised of a measurement, as its benchmark prints it."""
    for what, reached in (row[:2] for row in found[1].rows):
        number = numbers_of(reached.removeprefix("1/"))[0]
        most = 1.1 if "at most 1.1" in what else 1.0
        yield what[0].upper() + what[1:], reached, number >= 8 if "1/8" in what else number <= most


def line_plots(found: list[Table]) -> Plots:
    """Draw what a log line costs."""
    ratio = "median of ratios (quartiles)"
    wanted = _bars_of(found[0], "variant", ratio, ratio, {"ours": 1.0})
    return {"log_line.svg": bars("CPU time of one log line to a file", "times plain text; red: promised", wanted)}


def line_targets(found: list[Table]) -> Targets:
    """Return what was promised of a log line."""
    table = found[0]
    ratio = {row[0]: table.cell(row, "median of ratios (quartiles)") for row in table.found()}
    said = f"x {ratio['ours']}; control x {ratio['plain again']}"
    yield "A JSON line to a file: at most a plain-text line", said, numbers_of(ratio["ours"])[0] <= 1


def start_plots(found: list[Table]) -> Plots:
    """Draw what is added to a start."""
    cpu = _bars_of(found[0], "variant", "added, s", "quartiles", {"ours, page of metrics": 0.2})
    memory = _bars_of(found[0], "variant", "added, MB", "", {"ours, page of metrics": 12.0})
    return {
        "start_cpu.svg": bars("CPU time added to a start", "seconds; red: promised", [b for b in cpu if b.value > 0]),
        "start_memory.svg": bars("Memory added to a start", "MB; red: promised", [b for b in memory if b.value > 0]),
    }


def start_targets(found: list[Table]) -> Targets:
    """Return what was promised of a start."""
    table = found[0]
    row = next(row for row in table.rows if row[0] == "ours, page of metrics")
    cpu, memory = table.number(row, "added, s") or 0.0, table.number(row, "added, MB") or 0.0
    yield "A start with the page: at most 0.2 s of CPU added", f"{cpu:.2f} s", cpu <= 0.2
    yield "A start with the page: at most 12 MB added", f"{memory:.1f} MB", memory <= 12


def no_plots(_: list[Table]) -> Plots:
    """Draw nothing."""
    return {}


def no_targets(_: list[Table]) -> Targets:
    """Promise nothing."""
    return iter(())
