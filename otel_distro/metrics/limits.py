"""How many series an instrument may have and how long a label value may be; what is over is counted.

Source of the overflow series: OpenTelemetry specification, "Metrics SDK: Cardinality limits".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from otel_distro.metrics.naming import label_name

OVERFLOW_KEY: Final = "otel.metric.overflow"
OVERFLOW: Final = {OVERFLOW_KEY: True}
OVERFLOW_LABEL: Final = label_name(OVERFLOW_KEY)
LONGEST_VALUE: Final = 1024
DEFAULT_LIMIT: Final = 2000
# Every key that becomes the overflow label ends in this word.
_OVERFLOW_END: Final = "overflow"
# A whole number of so many bits has less than 1,024 digits.
_MOST_BITS: Final = 3 * LONGEST_VALUE


class Limits:
    """The limits of one process, by instrument name, and how often each was reached.

    `overflowed` counts measurements, `cut_values` label values, each time that one came. Thread-safe: a count that two
    threads raise at once may miss one, a limit never lets a series more through.
    """

    def __init__(self, default: int = DEFAULT_LIMIT, by_instrument: Mapping[str, int] | None = None) -> None:
        self._default = default
        self._by_instrument = dict(by_instrument or {})
        self.overflowed: Counter[str] = Counter()
        self.cut_values: Counter[str] = Counter()

    def of(self, instrument: str) -> int:
        """Return how many series the instrument may have beside its overflow series."""
        return self._by_instrument.get(instrument, self._default)

    def after_fork(self) -> None:
        """Begin counting at zero in a forked child: the parent shows what it has counted itself."""
        self.overflowed.clear()
        self.cut_values.clear()


def fitted(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the attributes as a series may have them, and how many values had to be cut for that.

    A value whose text is longer than 1 kB becomes the first 1 kB of that text, in whole characters. A label that only
    the overflow series may have is left out.
    """
    fitting = dict(attributes)
    cut = 0
    for key, value in attributes.items():
        if key.endswith(_OVERFLOW_END) and label_name(key) == OVERFLOW_LABEL:
            del fitting[key]
            continue
        text = _long_text(value)
        if text is not None:
            fitting[key] = text.encode("utf-8", "replace")[:LONGEST_VALUE].decode("utf-8", "ignore")
            cut += 1
    return fitting, cut


def _long_text(value: Any) -> str | None:
    """Return the text that a value shows as where it is too long, else None."""
    if isinstance(value, str):
        return value if len(value) > LONGEST_VALUE // 4 and _size(value) > LONGEST_VALUE else None
    if value is None or isinstance(value, (bool, float)):
        return None
    if isinstance(value, int):
        return hex(value) if value.bit_length() > _MOST_BITS else None
    try:
        text = json.dumps(value, default=str)
    except ValueError:
        # A whole number in it has more digits than Python writes.
        text = " " * (LONGEST_VALUE + 1)
    return text if len(text) > LONGEST_VALUE else None


def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
