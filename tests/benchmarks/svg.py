"""Two kinds of plots as SVG text: bars with their spread, and lines over two logarithmic scales."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import Final

WIDTH: Final = 760
_LEFT, _RIGHT, _TOP, _ROW = 285, 60, 58, 26
_OURS, _OTHER, _TARGET, _INK, _GRID = "#0b6e99", "#9aa5ab", "#c0392b", "#24292f", "#d9dee2"
_LINES: Final = ("#9aa5ab", "#24292f", "#c77c11", "#7b5ea7")  # of others
_OUR_LINES: Final = ("#0b6e99", "#5aa9c9")


@dataclass(frozen=True)
class Bar:
    """One bar: its value, the ends of its spread, and the most that was promised for it, where something was."""

    name: str
    value: float
    low: float
    high: float
    target: float | None = None


def bars(title: str, axis: str, wanted: Sequence[Bar]) -> str:
    """Return horizontal bars from 0; ours are coloured by their name, a target is a red mark."""
    most = max(max(bar.value, bar.high, bar.target or 0) for bar in wanted)
    step = _step(most)
    end = math.ceil(most / step) * step
    height = _TOP + _ROW * len(wanted) + 46

    def x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * value / end

    def drawn() -> Iterator[str]:
        bottom = _TOP + _ROW * len(wanted)
        for number in range(round(end / step) + 1):
            at = x(number * step)
            yield _line(at, _TOP - 6, at, bottom, _GRID)
            yield _text(at, bottom + 16, f"{number * step:,.6g}", "middle")
        for number, bar in enumerate(wanted):
            yield from _bar(bar, _TOP + _ROW * number, x)
        yield _text((_LEFT + WIDTH - _RIGHT) / 2, bottom + 36, axis, "middle")

    return _picture(title, height, drawn())


def _bar(bar: Bar, top: float, x: Callable[[float], float]) -> Iterator[str]:
    middle = top + _ROW / 2 - 2
    colour = _OURS if bar.name.startswith("ours") else _OTHER
    yield _text(_LEFT - 8, middle + 4, bar.name, "end")
    width = x(bar.value) - x(0)
    yield f'<rect x="{x(0):.1f}" y="{top + 2:.1f}" width="{width:.1f}" height="{_ROW - 9}" fill="{colour}"/>'
    if bar.low != bar.high:
        yield _line(x(bar.low), middle, x(bar.high), middle, _INK)
        yield from (_line(x(end), middle - 4, x(end), middle + 4, _INK) for end in (bar.low, bar.high))
    if bar.target is not None:
        yield _line(x(bar.target), top - 1, x(bar.target), top + _ROW - 5, _TARGET, 2.5)
    yield _text(
        max(x(bar.high), x(bar.value), x(bar.target or 0)) + 6,
        middle + 4,
        f"{bar.value:,.0f}" if bar.value >= 100 else f"{bar.value:.2f}",
        "start",
    )


def lines(title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return one line for each series of points; both scales are logarithmic, with a legend below."""
    points = [point for line in series.values() for point in line]
    left, right, top, bottom = 70, WIDTH - 30, _TOP, 380
    x = _logarithmic([point[0] for point in points], left, right)
    y = _logarithmic([point[1] for point in points], bottom, top)

    def drawn() -> Iterator[str]:
        for power in _powers([point[0] for point in points]):
            yield _line(x(power), top, x(power), bottom, _GRID)
            yield _text(x(power), bottom + 18, f"{power:,.0f}", "middle")
        for power in _powers([point[1] for point in points]):
            yield _line(left, y(power), right, y(power), _GRID)
            yield _text(left - 8, y(power) + 4, f"{power:g}", "end")
        yield _text((left + right) / 2, bottom + 38, across, "middle")
        yield _text(left - 8, top - 12, up, "start")
        ours, others = cycle(_OUR_LINES), cycle(_LINES)
        for number, (name, line) in enumerate(series.items()):
            colour = next(ours if name.startswith("ours") else others)
            path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.5" fill="{colour}"/>' for a, b in line)
            place = left + 340 * (number % 2), bottom + 62 + 20 * (number // 2)
            yield _line(place[0], place[1] - 4, place[0] + 24, place[1] - 4, colour, 3)
            yield _text(place[0] + 32, place[1], name, "start")

    return _picture(title, bottom + 80 + 20 * ((len(series) - 1) // 2), drawn())


def _powers(values: Sequence[float]) -> list[float]:
    """Return the powers of ten around the values."""
    first, last = math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _logarithmic(values: Sequence[float], start: float, end: float) -> Callable[[float], float]:
    powers = _powers(values)
    low, high = math.log10(powers[0]), math.log10(powers[-1])
    return lambda value: start + (end - start) * (math.log10(value) - low) / (high - low)


def _step(most: float) -> float:
    """Return 1, 2 or 5 times a power of ten, so that five to ten steps reach the most."""
    power = 10.0 ** math.floor(math.log10(most / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * 10 >= most)


def _picture(title: str, height: float, drawn: Iterator[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="13">'
    )
    ground = f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>'
    name = f'<text x="16" y="26" font-size="16" font-weight="bold" fill="{_INK}">{escape(title)}</text>'
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, name, *drawn, "</svg>", ""])


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, width: float = 1.0) -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width:g}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
