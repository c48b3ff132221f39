"""The text of one log line turned into its document."""

from __future__ import annotations

import json
import math

from otel_distro.analyzer.model import Document


def parsed(text: str) -> Document | None:
    """Return the document, or None where the text is no JSON object or nested deeper than Python goes.

    The standard library's parser keeps whole numbers of any length exact; `NaN` becomes None and a number too large for
    a float stays text, so that the document can be written as JSON again.
    """
    try:
        document = json.loads(text, parse_constant=lambda _: None, parse_float=finite)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def finite(text: str) -> float | str:
    """Return the number, or its text where it is too large for a float."""
    number = float(text)
    return number if math.isfinite(number) else text
