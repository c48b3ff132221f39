"""What is done when a framework is imported: never more than a warning."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import starlette.applications  # noqa: F401 -- is there

from otel_distro.web import frameworks
from otel_distro.web import starlette as hook


@pytest.mark.parametrize("there", [None, ModuleType("starlette.applications")], ids=["not imported", "half imported"])
def test_a_framework_that_is_not_wholly_there_is_let_alone(
    there: ModuleType | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "starlette.applications", there)
    monkeypatch.setattr(hook, "follow", None)  # would raise, and be warned of
    frameworks.asgi(None)
    assert caplog.text == ""


def test_a_hook_that_fails_is_a_warning_and_the_import_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> None:
        raise AttributeError("of another release")

    assert "starlette.applications" in sys.modules
    monkeypatch.setattr(hook, "follow", fail)
    frameworks.asgi(None)
    assert caplog.messages == [
        "requests of starlette are not measured: AttributeError: of another release; everything else goes on"
    ]
