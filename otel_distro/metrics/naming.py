"""How OpenTelemetry names become Prometheus names.

The rules are those of the OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility"; a test holds them to
what opentelemetry-exporter-prometheus does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9]+")
_ANNOTATION: Final = re.compile(r"{.*}")
_UNITS: Final = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
_PER: Final = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}


@lru_cache(maxsize=4096)
def metric_name(name: str) -> str:
    """Return the Prometheus form of an instrument's name, without unit and type suffixes."""
    if name[:1].isdigit():
        name = "_" + name[1:]
    return _NOT_IN_NAMES.sub("_", name)


@lru_cache(maxsize=4096)
def label_name(key: str) -> str:
    """Return the Prometheus form of an attribute's key."""
    if key[:1].isdigit():
        key = "_" + key[1:]
    return _NOT_IN_LABELS.sub("_", key)


@lru_cache(maxsize=256)
def unit_name(unit: str) -> str:
    """Return the Prometheus word for a UCUM unit: `By` is `bytes`, `m/s` is `meters_per_second`, `{order}` nothing."""
    unit = _ANNOTATION.sub("", unit)
    if unit in _UNITS:
        return _UNITS[unit]
    top, slash, bottom = unit.partition("/")
    bottom = metric_like(bottom)
    if slash and bottom:
        top = metric_like(top)
        top = _UNITS.get(top, top)
        per = f"per_{_PER.get(bottom, bottom)}"
        return f"{top}_{per}" if top else per
    return metric_like(unit).strip("_")


def metric_like(text: str) -> str:
    """Replace whatever cannot stand in a metric name by underscores."""
    return _NOT_IN_NAMES.sub("_", text)
