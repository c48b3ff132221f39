"""Another distribution of OpenTelemetry, as one that somebody has installed beside ours."""

from __future__ import annotations

import textwrap
from pathlib import Path


def install(folder: Path) -> None:
    """Install the distribution `other` into a folder of PYTHONPATH, where it is found before ours."""
    names = {"opentelemetry_distro": "Distro", "opentelemetry_configurator": "Configurator"}
    info = folder / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "".join(f"[{group}]\nother = other:{name}\n" for group, name in names.items())
    )
    (folder / "other.py").write_text(
        textwrap.dedent(
            """
            from opentelemetry.instrumentation.distro import BaseDistro

            class Distro(BaseDistro):
                def _configure(self, **kwargs): ...

            class Configurator:
                def configure(self, **kwargs): ...
            """
        )
    )
