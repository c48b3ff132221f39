"""promtool of Prometheus' third generation: rules and configurations must be good for both."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.services import cache, commands, golang, lookup

VARIABLE: Final = "OTEL_DISTRO_PROMTOOL3"
VERSION: Final = "0.316.0"  # of the Go module: Prometheus 3.16.0
_PACKAGE: Final = "github.com/prometheus/prometheus/cmd/promtool"


def _build(folder: Path) -> None:
    golang.install(folder, "promtool3", VERSION, _PACKAGE, tags="netgo,remove_all_sd")
    # Under a name of its own, since `promtool` may be of either generation.
    (folder / "promtool").rename(folder / "promtool3")


WANTED: Final = lookup.Wanted(
    name="promtool3",
    variable=VARIABLE,
    programs={"promtool3": ["promtool3"]},
    fetch=lambda: cache.obtain("promtool3", VERSION, _build),
    mend="Install Go, or Prometheus 3",
)


def find() -> dict[str, Path]:
    """Return the path of `promtool3`: from `$OTEL_DISTRO_PROMTOOL3`, PATH under that name, the cache, or built.

    Raises ServiceError naming what was tried and the mend.
    """
    return lookup.locate(WANTED)


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """Run it and return what it says; raises AssertionError with that when it ends with an error."""
    return commands.judge(find()["promtool3"], *arguments, stdin=stdin)
