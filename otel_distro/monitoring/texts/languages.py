"""Which languages there are; a language is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

from otel_distro.monitoring.parameters import LANGUAGES
from otel_distro.monitoring.texts.model import DashboardWords, Language

_MODULES = dict(zip(LANGUAGES, ("english", "chinese"), strict=True))


def language(name: str) -> Language:
    """Return the words of a language of `LANGUAGES`."""
    found = import_module(f"otel_distro.monitoring.texts.{_MODULES[name]}").LANGUAGE
    assert isinstance(found, Language)  # noqa: S101 -- the table above is ours
    return found


def dashboard_words(name: str) -> DashboardWords:
    """Return the words of dashboards in a language of `LANGUAGES`."""
    found = import_module(f"otel_distro.monitoring.texts.{_MODULES[name]}_dashboards").WORDS
    assert isinstance(found, DashboardWords)  # noqa: S101 -- the table above is ours
    return found
