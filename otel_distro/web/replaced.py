"""Methods of a framework that the hook stands in the place of, and how they come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Replaced:
    """What was replaced, each once; belongs to one framework. Not for several threads at once, as imports are not."""

    def __init__(self) -> None:
        self._originals: dict[tuple[Any, str], Any] = {}

    def put(self, owner: Any, name: str, made_of: Callable[[Any], Any]) -> None:
        """Put what is made of a class's method, or of a module's function, in its place; once and no second time."""
        if (owner, name) not in self._originals:
            method = self._originals[owner, name] = vars(owner)[name]
            setattr(owner, name, made_of(method))

    def give_back(self) -> None:
        """Set everything back."""
        while self._originals:
            (owner, name), method = self._originals.popitem()
            setattr(owner, name, method)
