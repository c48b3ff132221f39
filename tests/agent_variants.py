"""`agent.yaml` changed in one place, to see what that place is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.agent import AGENT


def stock(folder: Path) -> Path:
    """Return agent.yaml with an Elasticsearch exporter as it is by default: where to send which map.

    Only its batches wait 200 ms and not 10 s, which loses nothing and makes a run short.
    """
    config = _agent()
    ours = config["exporters"]["elasticsearch"]
    kept = {name: ours[name] for name in ("endpoint", "mapping", "compression")}
    config["exporters"]["elasticsearch"] = {**kept, "sending_queue": {"batch": {"flush_timeout": "200ms"}}}
    return _write(config, folder)


def _agent() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(AGENT.read_text())
    return config


def _write(config: dict[str, Any], folder: Path) -> Path:
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
