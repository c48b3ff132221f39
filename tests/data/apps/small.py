"""A small Flask application for the tests of the start: plain, with a reloader, or set up from inside."""

from __future__ import annotations

import logging
import os
import sys

from flask import Flask

app = Flask(__name__)
logger = logging.getLogger("small")


@app.get("/items/<int:key>")
def item(key: int) -> dict[str, int]:
    logger.info("looked up %s", key)
    logger.warning("item %s is low", key)
    return {"key": key, "pid": os.getpid()}


@app.get("/boom")
def boom() -> str:
    raise ValueError("boom")


if __name__ == "__main__":
    if "--configure" in sys.argv:
        import otel_distro

        otel_distro.configure()
        otel_distro.configure()
    if "--basic-config" in sys.argv:
        logging.basicConfig(level=logging.INFO, format="CONSOLE %(levelname)s %(message)s")
    app.run(port=int(os.environ["APP_PORT"]), debug="--debug" in sys.argv)
