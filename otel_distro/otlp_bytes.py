"""Bytes of OTLP's messages, without a protobuf object for each of their parts: what spans and log records share.

Source of the field numbers: opentelemetry-proto, common/v1/common.proto; those of `request` are the same in
trace/v1/trace.proto and logs/v1/logs.proto.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from struct import pack
from typing import Any, Final, TypeAlias

Encoder: TypeAlias = Callable[[Sequence[Any]], Any]

_STOCK: Final = "otel_distro_stock"


class Encoded:
    """A batch that is bytes already, for an exporter that asks a protobuf message for them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializePartialToString(self) -> bytes:  # noqa: N802 -- protobuf's name
        """Return the bytes."""
        return self._data

    SerializeToString = SerializePartialToString


def replace(exporter: Any, name: str, faster: Callable[[Encoder], Encoder]) -> None:
    """Have an exporter's module encode by what `faster` makes of its function of this name, if it has one."""
    module: Any = sys.modules[type(exporter).__module__]
    stock = getattr(module, name, None)
    if stock is not None and not hasattr(stock, _STOCK):
        made = faster(stock)
        setattr(made, _STOCK, stock)
        setattr(module, name, made)


def replaced(exporter: Any, name: str) -> bool:
    """Say whether the function of this name in an exporter's module has been replaced."""
    return hasattr(getattr(sys.modules[type(exporter).__module__], name, None), _STOCK)


def request(items: Iterable[tuple[Any, Any, bytes]], head: Callable[[Any, Any], tuple[bytes, ...]]) -> bytes:
    """Group messages by their resource and by their scope, in the order in which these came.

    An item is a resource, a scope and a message; `head` gives a resource's message and schema, a scope's message and
    schema.
    """
    resources: dict[Any, dict[Any, list[bytes]]] = {}
    # To compare resources is dear, and most items have the same objects.
    lists: dict[tuple[int, int], list[bytes]] = {}
    last: tuple[Any, Any] = (None, None)
    found: list[bytes] | None = None
    for resource, scope, encoded in items:
        if found is None or last[0] is not resource or last[1] is not scope:
            last = resource, scope
            found = lists.get((id(resource), id(scope)))
            if found is None:
                found = resources.setdefault(resource, {}).setdefault(scope, [])
                lists[id(resource), id(scope)] = found
        found += (b"\x12" + varint(len(encoded)), encoded)
    groups: list[bytes] = []
    for resource, scopes in resources.items():
        parts: list[bytes] = []
        for scope, messages in scopes.items():
            told, schema, inner, inner_schema = head(resource, scope)
            if not parts:
                parts.append(message(b"\x0a", told))
            parts.append(message(b"\x12", message(b"\x0a", inner) + b"".join(messages) + inner_schema))
        groups.append(message(b"\x0a", b"".join((*parts, schema))))
    return b"".join(groups)


def head_of(group: Any, inner: Any) -> tuple[bytes, ...]:
    """Return what `request` asks for of a resource's message in protobuf and of one scope's in it."""
    return (
        group.resource.SerializePartialToString(),
        text(b"\x1a", group.schema_url),
        inner.scope.SerializePartialToString(),
        text(b"\x1a", inner.schema_url),
    )


def value_of(value: Any) -> bytes | None:
    """Return the message of an attribute's value, or None for one that is no plain text or number."""
    kind = type(value)
    if kind is str:
        encoded = value.encode()
        return b"\x0a" + varint(len(encoded)) + encoded  # type: ignore[no-any-return]
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        return b"\x18" + varint(value & 0xFFFF_FFFF_FFFF_FFFF) if -(2**63) <= value < 2**63 else None
    if kind is float:
        return b"\x21" + pack("<d", value)
    return None


def message(tag: bytes, content: bytes) -> bytes:
    """Return a field that is a message."""
    return tag + varint(len(content)) + content


def text(tag: bytes, value: str) -> bytes:
    """Return a field that is a text; nothing for an empty one."""
    return message(tag, value.encode()) if value else b""


def varint(number: int) -> bytes:
    """Return a number as protobuf's variable length integer."""
    if number < 0x80:
        return _SMALL[number]
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_SMALL: Final = tuple(number.to_bytes(1, "little") for number in range(0x80))
