"""A log line to a file costs about what a plain text one costs; times are in the benchmarks, here are calls."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from otel_distro.logs.setup import configure_logging, reset_logging
from otel_distro.settings import Settings


def calls(run: Callable[[], None]) -> int:
    """Return how many functions are called, those of C included: a cost without the noise of time."""
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    gc.disable()  # what other tests have left to it, and to those who watch it, is called too when it comes
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted


def test_a_line_of_json_takes_about_as_many_calls_as_one_of_plain_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = logging.getLogger("test.plain")
    handler = logging.FileHandler(tmp_path / "plain.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    monkeypatch.setattr(plain, "handlers", [handler])
    monkeypatch.setattr(plain, "propagate", False)
    plain.setLevel(logging.INFO)

    def log(logger: logging.Logger) -> int:
        def write() -> None:
            logger.info("order %s placed for %s", 2, "ann")

        write()  # opens the file, and makes what the lines of one place have in common
        return calls(write)

    expected = log(plain)
    handler.close()
    env = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_DISTRO_LOG_FILE": str(tmp_path / "x.log"),
        "OTEL_DISTRO_LOG_LEVEL": "debug",
    }
    configure_logging(Settings.from_environ(env))
    try:
        found = log(logging.getLogger("test.ours"))
    finally:
        reset_logging()
    assert (tmp_path / "x.log").read_bytes().count(b"order 2 placed") == 2
    assert found <= 1.15 * expected, (found, expected)
