"""The errors that users see: few types, each message names the thing, its value and the mend."""

from __future__ import annotations


class OtelDistroError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(OtelDistroError, ValueError):
    """An argument or option has a value that cannot be used; the message names it and says what can."""


class StoreError(OtelDistroError):
    """A log store cannot answer: it is absent, unreachable, refuses the credentials or answered in part."""
