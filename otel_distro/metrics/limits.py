"""How many series an instrument may have and how long a label value may be; what is over is counted.

Source of the overflow series: OpenTelemetry specification, "Metrics SDK: Cardinality limits".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from otel_distro.metrics.naming import label_name

OVERFLOW_KEY: Final = "otel.metric.overflow"
OVERFLOW: Final = {OVERFLOW_KEY: True}
OVERFLOW_LABEL: Final = label_name(OVERFLOW_KEY)
LONGEST_VALUE: Final = 1024
DEFAULT_LIMIT: Final = 2000


class Limits:
    """The limits of one process, by instrument name, and how often each was reached.

    Thread-safe: a count that two threads raise at once may miss one, a limit never lets a series more through.
    """

    def __init__(self, default: int = DEFAULT_LIMIT, by_instrument: Mapping[str, int] | None = None) -> None:
        self._default = default
        self._by_instrument = dict(by_instrument or {})
        self.overflowed: Counter[str] = Counter()
        self.cut_values: Counter[str] = Counter()

    def of(self, instrument: str) -> int:
        """Return how many series the instrument may have beside its overflow series."""
        return self._by_instrument.get(instrument, self._default)

    def fitted(self, instrument: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes with texts cut to 1 kB, and without a label that only the overflow series may have."""
        fitted = dict(attributes)
        for key, value in attributes.items():
            if isinstance(value, str) and len(value) > LONGEST_VALUE // 4 and _size(value) > LONGEST_VALUE:
                fitted[key] = value.encode("utf-8", "replace")[:LONGEST_VALUE].decode("utf-8", "ignore")
                self.cut_values[instrument] += 1
            if len(key) == len(OVERFLOW_KEY) and label_name(key) == OVERFLOW_LABEL:
                del fitted[key]
        return fitted


def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
