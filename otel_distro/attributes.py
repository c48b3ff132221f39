"""Attributes of spans set in one step where nothing in them needs to be cleaned."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from otel_distro.internals import spans as internals

_TEXT: Final = frozenset((str,))
_AS_THEY_ARE: Final = frozenset((str, bool, int, float, bytes, type(None)))
_MAPPINGS: Final = frozenset((dict, MappingProxyType))
_METHOD: Final = "_set_items"
_originals: Final[list[tuple[Any, Any]]] = []


def install() -> None:
    """Put the short way in force for every span of the process; a second call does nothing.

    The SDK's own way is taken wherever it would change, cut, drop or refuse something. Thread-safe as the SDK's.
    """
    kind = None if _originals else internals.bounded_attributes()
    if kind is None:
        return
    original = getattr(kind, _METHOD)
    as_they_are, text = _AS_THEY_ARE, _TEXT

    def set_items(self: Any, attributes: Any) -> None:
        if (
            type(attributes) in _MAPPINGS
            and not self._immutable
            and self.max_value_len is None
            and as_they_are.issuperset(map(type, attributes.values()))
            and text.issuperset(map(type, attributes))
            and "" not in attributes
        ):
            with self._lock:
                kept = self._dict
                if self.maxlen is None or len(kept) + len(attributes) <= self.maxlen:
                    if kept:
                        # What is set again moves to the end.
                        for key in attributes:
                            if key in kept:
                                del kept[key]
                    kept.update(attributes)
                    return
        original(self, attributes)

    _originals.append((kind, original))
    setattr(kind, _METHOD, set_items)


def uninstall() -> None:
    """Give the SDK its own way back."""
    while _originals:
        kind, original = _originals.pop()
        setattr(kind, _METHOD, original)
