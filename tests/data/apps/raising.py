"""An instrumentor that cannot start."""

from __future__ import annotations


class Instrumentor:
    def instrument(self, **kwargs: object) -> None:
        raise RuntimeError("on purpose")
