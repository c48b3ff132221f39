"""What every variant shares: one Flask application, one request, and the commands that the runner sends.

A variant is a script that any Python with Flask runs: `python bare.py`. It needs nothing of this repository but this
file beside it. It prints one line of JSON when it is ready, and one for each command line that it reads:
    run N      serve N requests        {"cpu": seconds of all threads}
    calls N    the same, counted       {"calls": function calls a request}
    counted    read its own counters   {"requests": how many were counted, "spans": how many were handed over}
    (empty)    end
Function calls are those of Python functions and of functions of C alike, in the thread that serves: cProfile counts the
same, but from Python 3.12 on also what every other thread calls meanwhile.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any

Call = Callable[[], None]


def shop(flask: Any, log: Callable[[int], None] | None = None) -> Any:
    """Return the application: one view with a whole number in its path, answering a short JSON object."""
    app = flask.Flask("shop", static_folder=None)

    def order(order_id: int) -> dict[str, int]:
        if log is not None:
            log(order_id)
        return {"id": order_id}

    app.add_url_rule("/api/orders/<int:order_id>", "order", order)
    return app


def environ() -> dict[str, Any]:
    """Return what a server makes of a request by curl."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/api/orders/7",
        "QUERY_STRING": "",
        "RAW_URI": "/api/orders/7",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "benchmark",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": "curl/8.0",
        "HTTP_ACCEPT": "*/*",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def serving(app: Any) -> Call:
    """Return what sends one request through the application, as a server does."""
    base = environ()

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        if status != "200 OK":
            raise SystemExit(f"answered {status}")

    def serve() -> None:
        body = app(dict(base), start_response)
        b"".join(body)
        body.close()

    return serve


def page_total(name: str, page: bytes | None = None) -> int:
    """Return the sum over a metric's series on a page; without one, on prometheus_client's, of all processes."""
    if page is None:
        import os

        import prometheus_client
        from prometheus_client import multiprocess

        registry = prometheus_client.REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = prometheus_client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        page = prometheus_client.generate_latest(registry)
    lines = [line for line in page.decode().splitlines() if line.startswith(name + "{")]
    return int(sum(float(line.rpartition(" ")[2]) for line in lines))


def work(app: Any, counted: Callable[[], int] | None = None, flush: Call | None = None) -> None:
    """Obey the runner. `counted` reads the variant's own counter; `flush` sends what waits, at the end of each run."""
    serve = serving(app)
    done = 0
    serve()
    done += 1
    _say({"ready": sys.version.split()[0]})
    for line in sys.stdin:
        command, _, number = line.strip().partition(" ")
        if not command:
            break
        if command == "counted":
            _say({"requests": counted() if counted is not None else done, "served": done})
            continue
        times = int(number)
        done += times
        _say({"cpu": _timed(serve, flush, times)} if command == "run" else {"calls": _calls(serve, times)})
    _say({"served": done})


def _timed(serve: Call, flush: Call | None, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        serve()
    if flush is not None:
        flush()
    return time.process_time() - start


def _calls(serve: Call, times: int) -> float:
    counted = 0

    def count(_frame: Any, event: str, _what: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    for _ in range(times):
        serve()
    sys.setprofile(None)
    # Without the loop's own function and the end of the profile.
    return round(counted / times - 1, 1)


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)
