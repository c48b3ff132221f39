"""The text of label sets on pages, each escaped once however often it is shown."""

from __future__ import annotations

from typing import Final

from otel_distro.metrics.families import Labels

_SPARE: Final = 20_000


class LabelTexts:
    """The texts of the label sets that pages have shown, as many as the pages have need of.

    A fixed bound would be worth nothing above it: a page asks for its label sets in turn, so each would be gone when
    the next page asks. Thread-safe: threads that meet make a text twice.
    """

    def __init__(self) -> None:
        self._texts: dict[Labels, str] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def text(self, labels: Labels) -> str:
        """Return what stands between the braces of a sample."""
        found = self._texts.get(labels)
        if found is None:
            found = self._texts[labels] = ",".join([f'{name}="{_escaped(value)}"' for name, value in labels])
        return found

    def bound(self, shown: int) -> None:
        """Forget all where many more are held than a page has just shown."""
        if len(self._texts) > 2 * shown + _SPARE:
            self._texts.clear()


def _escaped(value: str) -> str:
    text = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return text.encode("utf-8", "replace").decode()
