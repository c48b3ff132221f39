"""Log records as the bytes that OTLP sends, from their lines, without objects of the SDK and protobuf for each.

Records with values that are no plain texts and numbers are encoded by the exporter's own way.
Source of the field numbers: opentelemetry-proto, logs/v1/logs.proto and common/v1/common.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Any, Final

from otel_distro.internals.logs import RECORD_SIZE
from otel_distro.logs.capture import LOG_ID, PIECES, REQUEST_ID, SPAN_ID, TRACE_FLAGS, TRACE_ID, USER_ID
from otel_distro.logs.entry import IN_RECORD, Draft, Entry
from otel_distro.otlp_bytes import (
    Encoded,
    Encoder,
    head_of,
    message,
    replace,
    replaced,
    request,
    text,
    value_of,
    varint,
)

_MOST_KEPT: Final = 4096
_LONGEST_KEPT: Final = 256
# Where a record was made, and by what: few values for many records.
_REPEATED: Final = frozenset(("logger", "module", "function", "line", "service", "environment", "error_type"))

_names: Final[dict[str, bytes]] = {}
_kept: Final[dict[tuple[str, type, Any], bytes]] = {}
_places: Final[dict[tuple[Any, ...], tuple[bytes, bytes]]] = {}


def install(exporter: Any) -> None:
    """Have an OTLP exporter's module encode entries; one that encodes in another way stays as it is."""
    replace(exporter, "encode_logs", faster)


def encodes(exporter: Any) -> bool:
    """Say whether an exporter's module encodes entries; any other exporter needs them as the SDK's records."""
    return replaced(exporter, "encode_logs")


def made(record: Any) -> Any:
    """Return the entry of a draft; what is none is returned as it is."""
    return record.entry() if type(record) is Draft else record


def size_of(record: Any) -> int:
    """Return how many bytes the line of an entry has, or that of the SDK's record if it was made of one; else 0."""
    if type(record) is Entry:
        return len(record.line)
    return int(getattr(record.log_record, RECORD_SIZE, 0))


def faster(stock: Encoder) -> Encoder:
    """Return what encodes a batch of entries, as bytes, to the message that `stock` encodes their records to.

    A batch may hold the SDK's records as well; what fails here is encoded by `stock`, with its errors. Thread-safe.
    """

    def encode_logs(batch: Sequence[Any]) -> Any:
        try:
            return Encoded(_request(batch, stock))
        except Exception:  # noqa: BLE001 -- the exporter's own way says what is wrong
            return stock([readable(each) for each in batch])

    return encode_logs


def readable(record: Any) -> Any:
    """Return the SDK's record of an entry; what is one already is returned as it is."""
    return record.readable() if type(record) is Entry else record


def _request(batch: Sequence[Any], stock: Encoder) -> bytes:
    examples: dict[tuple[int, int], Any] = {}

    def head(resource: Any, scope: Any) -> tuple[bytes, ...]:
        (group,) = stock([readable(examples[id(resource), id(scope)])]).resource_logs
        (inner,) = group.scope_logs
        return head_of(group, inner)

    def item(record: Any) -> tuple[Any, Any, bytes]:
        home = record.logger if type(record) is Entry else record
        resource, scope = home.resource, home.instrumentation_scope
        examples.setdefault((id(resource), id(scope)), record)
        encoded = _entry(record) if type(record) is Entry else None
        if encoded is None:
            (group,) = stock([readable(record)]).resource_logs
            encoded = group.scope_logs[0].log_records[0].SerializePartialToString()
        return resource, scope, encoded

    return request(map(item, batch), head)


def _entry(entry: Entry) -> bytes | None:
    """Return the message of an entry, or None where it has a part that is not encoded here."""
    capture = entry.capture
    pieces = capture[PIECES]
    parts = _from_document(entry) if pieces is None else _from_pieces(entry, *pieces)
    if parts is None:
        return None
    if capture[TRACE_ID]:
        if capture[TRACE_FLAGS]:
            parts.append(b"\x45" + pack("<I", capture[TRACE_FLAGS]))
        parts.append(b"\x4a\x10" + capture[TRACE_ID].to_bytes(16, "big"))
        parts.append(b"\x52\x08" + capture[SPAN_ID].to_bytes(8, "big"))
    parts.append(b"\x59" + pack("<Q", entry.observed))
    return b"".join(parts)


def _from_pieces(
    entry: Entry,
    home: tuple[str, str],
    place: tuple[Any, ...],
    text: str,
    extras: dict[str, Any] | None,
) -> list[bytes] | None:
    """Return the parts of a record whose line was put together from pieces, in the order of the others below."""
    capture = entry.capture
    level, where = _places.get(place) or _place(place)
    body = text.encode()
    size = varint(len(body))
    severity = entry.severity
    parts = [
        b"\x09",
        pack("<Q", entry.time),
        b"\x10" + varint(severity) if severity else b"",
        level,
        b"\x2a" + varint(len(body) + len(size) + 1) + b"\x0a",
        size,
        body,
    ]
    if extras:
        for name, value in reversed(extras.items()):
            attribute = _attribute(name, value)
            if attribute is None:
                return None
            parts.append(attribute)
    service, environment = home
    for name, value in (
        ("log_id", capture[LOG_ID]),
        ("environment", environment),
        ("service", service),
        ("user_id", capture[USER_ID]),
        ("request_id", capture[REQUEST_ID]),
    ):
        if value:
            attribute = _attribute(name, value)
            if attribute is None:
                return None
            parts.append(attribute)
    parts.append(where)
    return parts


def _place(place: tuple[Any, ...]) -> tuple[bytes, bytes]:
    """Return the severity's text, and the attributes of the place where a record was made."""
    logger, level, module, function, line = place
    attributes = (("line", line), ("function", function), ("module", module), ("logger", logger))
    made = text(b"\x1a", level), b"".join(_attribute(name, value) or b"" for name, value in attributes)
    if len(_places) >= _MOST_KEPT:
        _places.clear()
    _places[place] = made
    return made


def _from_document(entry: Entry) -> list[bytes] | None:
    """Return the parts of a record as its document has them."""
    document = entry.document()
    level, body = value_of(document["level"]), value_of(document["message"])
    if level is None or body is None or type(document["level"]) is not str:
        return None
    parts = [
        b"\x09" + pack("<Q", entry.time),
        b"\x10" + varint(entry.severity) if entry.severity else b"",
        b"\x1a" + level[1:] if document["level"] else b"",
        message(b"\x2a", body),
    ]
    for name, value in reversed(document.items()):
        if name not in IN_RECORD:
            attribute = _attribute(name, value)
            if attribute is None:
                return None
            parts.append(attribute)
    return parts


def _attribute(name: str, value: Any) -> bytes | None:
    """Return field 6 of a record with one attribute, or None for a value of another type."""
    # 0.0 and -0.0 are one key, and NaN is none: numbers with a point are not kept.
    repeated = name in _REPEATED and type(value) in (str, int, bool)
    if repeated:
        known = _kept.get((name, type(value), value))
        if known is not None:
            return known
    encoded = value_of(value)
    if encoded is None or not name:
        return None
    key = _names.get(name) or _name(name)
    # The value's own length, the value's tag and both together: fields 1 and 2 of a pair.
    pair = key + varint(len(encoded)) + encoded
    made = b"\x32" + varint(len(pair)) + pair
    if repeated and len(made) <= _LONGEST_KEPT:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[name, type(value), value] = made
    return made


def _name(name: str) -> bytes:
    """Return the first field of a pair and the tag of its second one."""
    made = text(b"\x0a", name) + b"\x12"
    if len(made) <= _LONGEST_KEPT:
        if len(_names) >= _MOST_KEPT:
            _names.clear()
        _names[name] = made
    return made
