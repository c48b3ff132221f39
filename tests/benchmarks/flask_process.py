"""One variant's process, as the runner sees it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.flask_ways import PREFIX, Variant

VARIANTS: Final = Path(__file__).parent / "flask_variants"
_FOREIGN: Final = ("OTEL_", "PROMETHEUS_", "DD_", "ELASTIC_", "SPLUNK_", "LOGFIRE_", "PYTHONPATH")


class VariantError(Exception):
    """A variant that ended early, or that counted or sent something else than it served."""


class Process:
    """One variant's process; `number` is its own path at the sink. Raises VariantError where it ends early."""

    def __init__(self, variant: Variant, number: int, endpoint: str) -> None:
        self.variant, self.number = variant, number
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        own = f"{endpoint}/{number}"
        environment |= {"DD_TRACE_AGENT_URL": own, "OTEL_SERVICE_NAME": "shop"}
        if variant.sends:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = own
        command = [variant.python, str(VARIANTS / variant.script), *variant.arguments]
        self._process = subprocess.Popen(
            [variant.python, "-c", PREFIX, *command] if variant.prefixed else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, **variant.variables},
        )
        try:
            self.python = str(self._answer()["ready"])
        except VariantError:
            self.kill()
            raise

    def run(self, requests: int) -> float:
        """Serve requests; return CPU microseconds each."""
        return float(self._ask(f"run {requests}")["cpu"]) * 1e6 / requests

    def calls(self, requests: int) -> float:
        """Serve requests; return function calls each."""
        return float(self._ask(f"calls {requests}")["calls"])

    def counted(self) -> tuple[int, int]:
        """Return what the variant's own counter says, -1 where it has none, and what it has served."""
        answer = self._ask("counted")
        return int(answer["requests"]), int(answer["served"])

    def end(self) -> None:
        """Let it send what it has and end."""
        self._send("")
        try:
            self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise VariantError("did not end within a minute") from None
        if self._process.returncode:
            raise VariantError(f"ended with {self._process.returncode}")

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, command: str) -> dict[str, Any]:
        self._send(command)
        return self._answer()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            raise VariantError("ended early") from None

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise VariantError("ended early")
        answer: dict[str, Any] = json.loads(line)
        return answer
