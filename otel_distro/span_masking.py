"""What must not leave the process in a span by OTLP: the same names and patterns that are masked in logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otel_distro.redaction import REDACTED, Redactor


class SpanMasks:
    """Mask texts of spans while they are encoded; `names` are the user's own names of fields. Thread and fork safe.

    Exporters of another kind and processors of the application see spans as they are. Names of spans stay.
    """

    __slots__ = ("_hides", "text")

    def __init__(self, names: Iterable[str]) -> None:
        redactor = Redactor(names)
        self._hides = redactor.hides
        self.text = redactor.text

    def value(self, key: str, value: Any) -> Any:
        """Return the text or number of an attribute, masked; what is neither is returned as it is."""
        kind = type(value)
        if kind is str:
            return REDACTED if self._hides(key) else self.text(value)
        return REDACTED if (kind is int or kind is float) and self._hides(key) else value

    def mask(self, span: Any) -> None:
        """Mask what the protobuf message of a span holds, the texts of its events and links included."""
        for part in (span, *span.events, *span.links):
            for attribute in part.attributes:
                self._mask(attribute.key, attribute.value)
        for event in span.events:
            event.name = self.text(event.name)
        if span.status.message:
            span.status.message = self.text(span.status.message)

    def _mask(self, key: str, value: Any) -> None:
        kind = value.WhichOneof("value")
        if kind == "array_value":
            for item in value.array_value.values:
                self._mask(key, item)
        elif kind not in (None, "bool_value") and self._hides(key):
            value.string_value = REDACTED
        elif kind == "string_value":
            masked = self.text(value.string_value)
            if masked != value.string_value:
                value.string_value = masked
        elif kind == "bytes_value":
            masked = self.text(value.bytes_value.decode(errors="surrogateescape"))
            value.bytes_value = masked.encode(errors="surrogateescape")
        elif kind == "kvlist_value":
            for item in value.kvlist_value.values:
                self._mask(item.key, item.value)
