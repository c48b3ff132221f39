"""`python -m otel_distro.cli` is the same as `otel-distro`."""

from __future__ import annotations

from otel_distro.cli import main

main()
