"""No propagation at all, as `OTEL_PROPAGATORS=none` asks for it."""

from __future__ import annotations

from typing import Any

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator


class NoPropagation(TextMapPropagator):
    """Takes nothing from a request and gives nothing on.

    The API's own propagator without any parts gives None for the context, which no instrumentation expects: each
    request would fail.
    """

    def extract(self, carrier: Any, context: Context | None = None, getter: Any = None) -> Context:  # noqa: ARG002
        """Return the context as it is, an empty one for none."""
        return Context() if context is None else context

    def inject(self, carrier: Any, context: Context | None = None, setter: Any = None) -> None:
        """Leave the carrier as it is."""

    @property
    def fields(self) -> set[str]:
        """The headers that it writes: none."""
        return set()


def install() -> None:
    """Stand in for a global propagator that gives None for the context; any other one stays."""
    if propagate.extract({}) is None:  # though it declares otherwise
        propagate.set_global_textmap(NoPropagation())
