"""Values that no metric can take: told from usable ones, counted in `otel_distro_rejected_total`, warned of once."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from numbers import Real
from typing import Final

from opentelemetry.metrics import Counter

from otel_distro.metrics.instruments import distro_meter

LARGEST: Final = sys.float_info.max
# Beyond it a whole number has no exact float, and beyond 2**63 no place in OTLP: such a number is kept as a float.
_LARGEST_EXACT: Final = 2**53
_WARNINGS_LIMIT: Final = 10_000
# What may be shown of a text is what an amount looks like; anything else could be a secret in the wrong argument.
_AMOUNT_LIKE: Final = re.compile(r"[-+]?[0-9.,]{1,12}(e[-+]?[0-9]{1,3})?", re.IGNORECASE)

_logger = logging.getLogger("otel_distro")
_warned: Final[dict[tuple[str, str], object]] = {}


def usable(value: object, lowest: float = 0.0) -> int | float | None:
    """Return the number that a metric can take for this value, or None where there is none; never raises.

    Usable are finite int, float, Decimal and other real numbers (Fraction, NumPy's) from `lowest` up. A bool is a
    state, 1 or 0, where negative values are allowed too, that is in gauges; it is no amount of anything, so it is none
    elsewhere. Text is none, whatever it spells.
    """
    if type(value) is int:
        if lowest <= value <= _LARGEST_EXACT:
            return value
    elif type(value) is float:
        return value if lowest <= value <= LARGEST else None
    elif isinstance(value, bool):
        return int(value) if lowest < 0 else None
    if not isinstance(value, (Real, Decimal)):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 -- OverflowError, a signalling NaN's ValueError, or whatever a foreign number raises
        return None
    return number if lowest <= number <= LARGEST else None


def reject(instrument: str, value: object, lowest: float = 0.0) -> None:
    """Count a value that `usable` refused, and warn of the instrument's first one.

    `instrument` is the name as scraped, `revenue_total`. Never raises; safe in any thread.
    """
    _count(instrument)
    warn_once(
        instrument,
        "value",
        f"metric {instrument} cannot take {shown(value)}, which was not recorded; {_mend(value, lowest)}"
        " (later ones are only counted, in otel_distro_rejected_total)",
    )


def reject_labels(instrument: str, given: str, declared: Iterable[str]) -> None:
    """Count a measurement whose labels are not the declared ones, and warn of the instrument's first one.

    `given` says what came, in names, never in values.
    """
    _count(instrument)
    names = ", ".join(declared)
    warn_once(
        instrument,
        "labels",
        f"metric {instrument} got {given} but is declared with "
        + (f"labels {names}; call .labels({names}) with a value for each" if names else "no labels; call it without")
        + ", this was not recorded (later ones are only counted, in otel_distro_rejected_total)",
    )


def warn_once(subject: str, problem: str, message: str) -> None:
    """Log the message as a warning unless this problem of the subject was warned of before in this process."""
    mark = object()
    # setdefault is atomic: of several threads that come at once, one warns.
    if len(_warned) < _WARNINGS_LIMIT and _warned.setdefault((subject, problem), mark) is mark:
        _logger.warning("%s", message)


def shown(value: object) -> str:
    """Return how a message may show a value: numbers as they are, shortened, and of anything else only what it is."""
    if isinstance(value, str):
        return repr(value) if _AMOUNT_LIKE.fullmatch(value) else f"a text of {len(value)} characters"
    if value is None or isinstance(value, (Real, Decimal)):
        try:
            text = str(value)
        except Exception:  # noqa: BLE001 -- a whole number of too many digits for text, or a foreign number's own error
            return "a number too large to show"
        return text if len(text) <= 40 else text[:37] + "..."
    return f"a value of type {type(value).__name__}"


def _mend(value: object, lowest: float) -> str:
    if isinstance(value, bool):
        return "pass a number, int, float or Decimal"
    if isinstance(value, (Real, Decimal)):
        return f"pass a finite number not below {lowest:g}" if lowest > -LARGEST else "pass a finite number"
    return "pass a number: int, float or Decimal"


@cache
def _rejected() -> Counter:
    return distro_meter().create_counter(
        "otel_distro_rejected", "{measurement}", "Measurements that no metric could take, by instrument."
    )


def _count(instrument: str) -> None:
    _rejected().add(1, {"instrument": instrument})
