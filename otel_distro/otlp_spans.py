"""Spans as the bytes that OTLP sends, without a protobuf object for each of their parts.

Most spans of a service share most of their attributes: the bytes of an attribute are kept and put together again. Spans
with events, links, a trace state or values that are no plain texts and numbers are encoded by the exporter's own way.
Source of the field numbers: opentelemetry-proto, trace/v1/trace.proto and common/v1/common.proto.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from struct import pack
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanKind

_STOCK: Final = "otel_distro_stock"
_MOST_KEPT: Final = 4096
_LONGEST_KEPT: Final = 256
_KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
# Field 16, fixed32: whether the parent is remote is known, and whether it is.
_LOCAL: Final = b"\x85\x01" + pack("<I", 0x100)
_REMOTE: Final = b"\x85\x01" + pack("<I", 0x300)

_kept: Final[dict[tuple[str, type, Any], bytes]] = {}


class Encoded:
    """A batch that is bytes already, for an exporter that asks a protobuf message for them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializePartialToString(self) -> bytes:  # noqa: N802 -- protobuf's name
        """Return the bytes."""
        return self._data

    SerializeToString = SerializePartialToString


def install(exporter: Any) -> None:
    """Have an OTLP exporter's module encode spans the short way; one that encodes in another way stays as it is."""
    module: Any = sys.modules[type(exporter).__module__]
    stock = getattr(module, "encode_spans", None)
    if stock is not None and not hasattr(stock, _STOCK):
        module.encode_spans = faster(stock)


def faster(stock: Callable[[Sequence[ReadableSpan]], Any]) -> Callable[[Sequence[ReadableSpan]], Any]:
    """Return what encodes a batch of spans to the message that `stock` encodes it to, as bytes.

    What fails here is encoded by `stock`, with its errors. Thread-safe.
    """

    def encode_spans(spans: Sequence[ReadableSpan]) -> Any:
        try:
            return Encoded(_request(spans, stock))
        except Exception:  # noqa: BLE001 -- the exporter's own way says what is wrong
            return stock(spans)

    setattr(encode_spans, _STOCK, stock)
    return encode_spans


def _request(spans: Sequence[ReadableSpan], stock: Callable[[Sequence[ReadableSpan]], Any]) -> bytes:
    """Group the spans by their resource and by what made them, in the order in which these came."""
    resources: dict[Any, dict[Any, list[bytes]]] = {}
    # To compare resources is dear, and most spans have the same objects.
    lists: dict[tuple[int, int], list[bytes]] = {}
    for span in spans:
        resource, scope = span.resource, span.instrumentation_scope
        found = lists.get((id(resource), id(scope)))
        if found is None:
            found = resources.setdefault(resource, {}).setdefault(scope, [])
            lists[id(resource), id(scope)] = found
        encoded = _span(span)
        if encoded is None:
            encoded = stock([span]).resource_spans[0].scope_spans[0].spans[0].SerializePartialToString()
        found.append(b"\x12" + _varint(len(encoded)) + encoded)
    return b"".join(_message(b"\x0a", _resource_spans(*parts, stock)) for parts in resources.items())


def _resource_spans(
    resource: Any, scopes: dict[Any, list[bytes]], stock: Callable[[Sequence[ReadableSpan]], Any]
) -> bytes:
    parts: list[bytes] = []
    for scope, spans in scopes.items():
        head = stock([ReadableSpan("", INVALID_SPAN_CONTEXT, resource=resource, instrumentation_scope=scope)])
        (group,) = head.resource_spans
        (inner,) = group.scope_spans
        if not parts:
            parts.append(_message(b"\x0a", group.resource.SerializePartialToString()))
        told = _message(b"\x0a", inner.scope.SerializePartialToString())
        parts.append(_message(b"\x12", told + b"".join(spans) + _text(b"\x1a", inner.schema_url)))
    parts.append(_text(b"\x1a", resource.schema_url))
    return b"".join(parts)


def _span(span: ReadableSpan) -> bytes | None:
    """Return the message of a span, or None where it has a part that is not encoded here."""
    context, parent, status = span.context, span.parent, span.status
    if context is None or span.events or span.links or context.trace_state or span.kind not in _KINDS:
        return None
    if span.dropped_attributes or span.dropped_events or span.dropped_links:
        return None
    attributes = [_attribute(key, value) for key, value in (span.attributes or {}).items()]
    if None in attributes:
        return None
    name = span.name.encode()
    start, end = span.start_time, span.end_time
    told = _text(b"\x12", status.description or "")
    if status.status_code.value:
        told += b"\x18" + _varint(status.status_code.value)
    return b"".join(
        (
            b"\x0a\x10",
            context.trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            context.span_id.to_bytes(8, "big"),
            b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
            b"\x2a" + _varint(len(name)) + name if name else b"",
            _KINDS[span.kind],
            b"\x39" + pack("<Q", start) if start else b"",
            b"\x41" + pack("<Q", end) if end else b"",
            *attributes,  # type: ignore[arg-type]  # none of them is None
            b"\x7a" + _varint(len(told)) + told,
            _REMOTE if parent and parent.is_remote else _LOCAL,
        )
    )


def _attribute(key: str, value: Any) -> bytes | None:
    """Return field 9 of a span with one attribute, or None for a value of another type."""
    kind = type(value)
    known = (key, kind, value)
    try:
        return _kept[known]
    except (KeyError, TypeError):
        pass
    if kind is str:
        text = value.encode()
        encoded = b"\x0a" + _varint(len(text)) + text
    elif kind is bool:
        encoded = b"\x10\x01" if value else b"\x10\x00"
    elif kind is int:
        encoded = b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
        if not -(2**63) <= value < 2**63:
            return None
    elif kind is float:
        encoded = b"\x21" + pack("<d", value)
    else:
        return None
    pair = _text(b"\x0a", key) + _message(b"\x12", encoded)
    made: bytes = b"\x4a" + _varint(len(pair)) + pair
    # 0.0 and -0.0 are one key, and NaN is none: numbers with a point are not kept.
    if kind is not float and len(made) <= _LONGEST_KEPT:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[known] = made
    return made


def _message(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _text(tag: bytes, text: str) -> bytes:
    return _message(tag, text.encode()) if text else b""


def _varint(number: int) -> bytes:
    if number < 0x80:
        return number.to_bytes(1, "little")
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
