"""Spans as the bytes that OTLP sends, without a protobuf object for each of their parts.

Most spans of a service share most of their attributes: the bytes of an attribute are kept and put together again. Spans
with events, links, a trace state or values that are no plain texts and numbers are encoded by the exporter's own way.
Source of the field numbers: opentelemetry-proto, trace/v1/trace.proto and common/v1/common.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from struct import pack
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Link, SpanKind, Status

from otel_distro.internals.spans import bare_attributes, kept_attributes
from otel_distro.otlp_bytes import Encoded, Encoder, head_of, message, replace, request, text, value_of, varint

if TYPE_CHECKING:
    from otel_distro.span_masking import SpanMasks

_MOST_KEPT: Final = 4096
_LONGEST_KEPT: Final = 256
_LEAST: Final = 32  # bytes beside a text: its key, and what says how long both are
# By their values: the members of an enumeration are slow keys.
_KINDS: Final = {
    SpanKind.INTERNAL.value: b"\x30\x01",
    SpanKind.SERVER.value: b"\x30\x02",
    SpanKind.CLIENT.value: b"\x30\x03",
    SpanKind.PRODUCER.value: b"\x30\x04",
    SpanKind.CONSUMER.value: b"\x30\x05",
}
# Field 16, fixed32: whether the parent is remote is known, and whether it is.
_LOCAL: Final = b"\x85\x01" + pack("<I", 0x100)
_REMOTE: Final = b"\x85\x01" + pack("<I", 0x300)

_Kept = dict[tuple[str, type, Any], bytes]
Secret = tuple[str, ...] | None
"""Names of fields that are masked beside the default ones; None masks nothing."""


def install(exporter: Any, secret: Secret) -> None:
    """Have an OTLP/HTTP exporter's module encode spans the short way; one that encodes otherwise stays as it is."""
    replace(exporter, "encode_spans", lambda stock: faster(spelling_out(stock, secret), secret))


def install_spelling(exporter: Any, secret: Secret) -> None:
    """Have an OTLP exporter's module encode every text; one that encodes otherwise stays as it is."""
    replace(exporter, "encode_spans", lambda stock: spelling_out(stock, secret))


@cache
def _masks(secret: tuple[str, ...]) -> SpanMasks:
    """Return what masks; it is loaded when the first span is sent, not at the start."""
    from otel_distro.span_masking import SpanMasks

    return SpanMasks(secret)


def size_of(span: ReadableSpan) -> int:
    """Return about how many bytes of OTLP a span has, rather too many than too few."""
    found = bare_attributes(span)
    held: list[Any] = [span.name, span.status.description or ""]
    if found is None:
        number = 0
        parts: list[Any] = [span, *span.events, *span.links]
        for part in parts:
            attributes = kept_attributes(part) or part.attributes or {}
            number += len(attributes)
            held += (*attributes, *attributes.values())
        held += (event.name for event in span.events)
    else:
        number = len(found)
        held += found.values()
    told = "".join(map(repr, held))  # `str` of bytes is an error to an interpreter that is asked for it (`-bb`)
    return _LEAST * (1 + number) + (len(told) if told.isascii() else 4 * len(told))


def spelling_out(stock: Encoder, secret: Secret = None) -> Encoder:
    """Return what encodes a batch as `stock` does, but for secrets and for lone surrogates, which have no UTF-8.

    JSON of a client may hold these. `stock` raises by one, and the whole batch would be lost: they are spelt out.
    """

    def encode_spans(spans: Sequence[ReadableSpan]) -> Any:
        made = stock([_spelt_out(span) for span in spans])
        if secret is not None:
            masks = _masks(secret)
            for group in made.resource_spans:
                for inner in group.scope_spans:
                    for span in inner.spans:
                        masks.mask(span)
        return made

    return encode_spans


def _spelt_out(span: ReadableSpan) -> ReadableSpan:
    try:
        "".join(_texts_of(span)).encode()
    except UnicodeEncodeError:
        return ReadableSpan(
            _text(span.name),
            span.context,
            span.parent,
            span.resource,
            _attributes(span.attributes),
            [Event(_text(event.name), _attributes(event.attributes), event.timestamp) for event in span.events],
            [Link(link.context, _attributes(link.attributes)) for link in span.links],
            span.kind,
            status=Status(span.status.status_code, _text(span.status.description)),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
    return span


def _texts_of(span: ReadableSpan) -> Iterator[str]:
    yield span.name
    yield span.status.description or ""
    parts: list[Any] = [span, *span.events, *span.links]
    for attributes in (part.attributes for part in parts):
        yield from _texts_in((attributes or {}).items())
    yield from (event.name for event in span.events)


def _texts_in(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from _texts_in(value)
        elif isinstance(value, dict):
            yield from _texts_in(value.items())


def _attributes(attributes: Any) -> dict[str, Any]:
    return {_text(key): _text(value) for key, value in (attributes or {}).items()}


def _text(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_text(item) for item in value)
    if isinstance(value, dict):
        return _attributes(value)
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def faster(stock: Encoder, secret: Secret = None) -> Encoder:
    """Return what encodes a batch of spans to the message that `stock` encodes it to, as bytes, secrets masked.

    What fails here is encoded by `stock`, with its errors. Thread-safe.
    """
    kept: _Kept = {}

    def encode_spans(spans: Sequence[ReadableSpan]) -> Any:
        try:
            return Encoded(_request(spans, stock, kept, None if secret is None else _masks(secret)))
        except Exception:  # noqa: BLE001 -- the exporter's own way says what is wrong
            return stock(spans)

    return encode_spans


def _request(spans: Sequence[ReadableSpan], stock: Encoder, kept: _Kept, masks: SpanMasks | None) -> bytes:
    def head(resource: Any, scope: Any) -> tuple[bytes, ...]:
        empty = ReadableSpan("", INVALID_SPAN_CONTEXT, resource=resource, instrumentation_scope=scope)
        (group,) = stock([empty]).resource_spans
        (inner,) = group.scope_spans
        return head_of(group, inner)

    def message_of(span: ReadableSpan) -> bytes:
        encoded = _span(span, kept, masks)
        if encoded is None:
            (group,) = stock([span]).resource_spans
            encoded = group.scope_spans[0].spans[0].SerializePartialToString()
        return encoded

    return request(((span.resource, span.instrumentation_scope, message_of(span)) for span in spans), head)


def _span(span: ReadableSpan, kept: _Kept, masks: SpanMasks | None) -> bytes | None:
    """Return the message of a span, or None where it has a part that is not encoded here."""
    context, parent, status = span.context, span.parent, span.status
    kind = _KINDS.get(span.kind.value)
    if context is None or context.trace_state or kind is None:
        return None
    named: Any = bare_attributes(span)
    if named is None:
        if span.events or span.links or span.dropped_attributes or span.dropped_events or span.dropped_links:
            return None
        named = span.attributes or {}
    attributes = []
    for key, value in named.items():
        try:
            attribute = kept[key, type(value), value]
        except (KeyError, TypeError):
            attribute = _attribute(key, value, kept, masks)  # type: ignore[assignment]  # None ends it
            if attribute is None:
                return None
        attributes.append(attribute)
    name = span.name.encode()
    start, end = span.start_time, span.end_time
    told = b"\x7a\x00"
    if not status.is_unset or status.description:
        code = status.status_code.value
        described = status.description or ""
        described = masks.text(described) if masks else described
        told = message(b"\x7a", text(b"\x12", described) + (b"\x18" + varint(code) if code else b""))
    return b"".join(
        (
            b"\x0a\x10",
            context.trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            context.span_id.to_bytes(8, "big"),
            b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
            b"\x2a" + varint(len(name)) + name if name else b"",
            kind,
            b"\x39" + pack("<Q", start) if start else b"",
            b"\x41" + pack("<Q", end) if end else b"",
            *attributes,
            told,
            _REMOTE if parent and parent.is_remote else _LOCAL,
        )
    )


def _attribute(key: str, value: Any, kept: _Kept, masks: SpanMasks | None) -> bytes | None:
    """Return field 9 of a span with one attribute, or None for a value of another type."""
    encoded = value_of(masks.value(key, value) if masks else value)
    if encoded is None:
        return None
    pair = text(b"\x0a", key) + message(b"\x12", encoded)
    made: bytes = b"\x4a" + varint(len(pair)) + pair
    # 0.0 and -0.0 are one key, and NaN is none: numbers with a point are not kept.
    if type(value) is not float and len(made) <= _LONGEST_KEPT:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[key, type(value), value] = made
    return made
