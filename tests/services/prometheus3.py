"""Prometheus of the third generation and its promtool: what is scraped, asked and judged must be good for both."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.services import cache, commands, golang, lookup

VARIABLE: Final = "OTEL_DISTRO_PROMETHEUS3"
VERSION: Final = "0.316.0"  # of the Go module: Prometheus 3.16.0
_PACKAGES: Final = tuple(f"github.com/prometheus/prometheus/cmd/{name}" for name in ("prometheus", "promtool"))


def _build(folder: Path) -> None:
    golang.install(folder, "prometheus3", VERSION, *_PACKAGES, tags="netgo,remove_all_sd")
    # Under names of their own, since `prometheus` may be of either generation.
    for name in ("prometheus", "promtool"):
        (folder / name).rename(folder / f"{name}3")


WANTED: Final = lookup.Wanted(
    name="prometheus3",
    variable=VARIABLE,
    programs={"prometheus3": ["prometheus3"], "promtool3": ["promtool3"]},
    fetch=lambda: cache.obtain("prometheus3", VERSION, _build),
    mend="Install Go, or Prometheus 3",
)


def find() -> dict[str, Path]:
    """Return the paths of `prometheus3` and `promtool3`: from `$OTEL_DISTRO_PROMETHEUS3`, PATH, the cache, or built.

    On PATH they are looked for under these names. Raises ServiceError naming what was tried and the mend.
    """
    return lookup.locate(WANTED)


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """Run promtool and return what it says; raises AssertionError with that when it ends with an error."""
    return commands.judge(find()["promtool3"], *arguments, stdin=stdin)
