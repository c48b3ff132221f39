"""Which languages there are; a language is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

from otel_distro.monitoring.parameters import LANGUAGES
from otel_distro.monitoring.texts.model import Language

_MODULES = dict(zip(LANGUAGES, ("english", "chinese"), strict=True))


def language(name: str) -> Language:
    """Return the words of a language of `LANGUAGES`."""
    found = import_module(f"otel_distro.monitoring.texts.{_MODULES[name]}").LANGUAGE
    assert isinstance(found, Language)  # noqa: S101 -- the table above is ours
    return found
