"""No propagation: nothing is taken, nothing is given on, and a context is a context."""

from __future__ import annotations

import pytest
from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator

from otel_distro import propagation
from otel_distro.propagation import NoPropagation


def test_nothing_is_taken_and_nothing_given_on() -> None:
    carrier = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    own = Context({"key": 1})
    assert NoPropagation().extract(carrier) == Context()
    assert NoPropagation().extract(carrier, own) is own
    NoPropagation().inject(carrier, own)
    assert len(carrier) == 1
    assert NoPropagation().fields == set()


def test_it_stands_in_for_a_propagator_without_parts_and_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = propagate.get_global_textmap()
    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", usual)
    propagation.install()
    assert propagate.get_global_textmap() is usual
    propagate.set_global_textmap(CompositePropagator([]))
    propagation.install()
    assert isinstance(propagate.get_global_textmap(), NoPropagation)
