"""What the hook costs a request of Starlette: beside the bare application, and the same metrics written by hand.

    python -m tests.benchmarks.asgi_cost --rounds 9

Each way is a process of its own, and they take turns; `by hand` is a middleware with four metrics of
`prometheus_client`, children looked up by `labels()`. No server and no socket: the application is called as a server
calls it. A table in Markdown shows function calls (cProfile's) and CPU microseconds of a request, and the median of the
rounds' ratios to `bare`. It ends with 1 where a way has not counted what was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from typing import Any, Final

WAYS: Final = ("bare", "ours", "by hand")
_ENDPOINT: Final = "/items/{id}"


def _application() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def item(request: Request) -> JSONResponse:
        return JSONResponse({"id": request.path_params["id"]})

    return Starlette(routes=[Route("/items/{id:int}", item)])


def _by_hand(app: Any) -> Any:
    """Return the application in a middleware as services write it."""
    from prometheus_client import Counter, Gauge, Histogram, Summary

    requests = Counter("http_requests", "Requests", ["method", "endpoint", "status"])
    seconds = Histogram("http_request_duration_seconds", "Seconds", ["method", "endpoint"])
    size = Summary("http_response_size_bytes", "Bytes", ["method", "endpoint"])
    active = Gauge("active_connections", "Requests in flight")

    async def call(scope: Any, receive: Any, send: Any) -> None:
        begin, told = time.perf_counter(), {"status": 500, "size": 0}

        async def counting(message: Any) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
            else:
                told["size"] += len(message.get("body", b""))
            await send(message)

        active.inc()
        try:
            await app(scope, receive, counting)
        finally:
            active.dec()
            endpoint = scope["route"].path_format
            requests.labels(scope["method"], endpoint, str(told["status"])).inc()
            seconds.labels(scope["method"], endpoint).observe(time.perf_counter() - begin)
            size.labels(scope["method"], endpoint).observe(told["size"])

    return call


def _counted(way: str) -> float:
    """Return what the way's own page says of the requests."""
    if way == "bare":
        return -1
    if way == "ours":
        import otel_distro

        status, _, body = _page(otel_distro.metrics_app())
        assert status.startswith("200")
        text = body.decode()
    else:
        from prometheus_client import generate_latest

        text = generate_latest().decode()
    lines = [line for line in text.splitlines() if line.startswith("http_requests_total{") and _ENDPOINT in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _page(app: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    said: list[Any] = []
    body = b"".join(app(environ, lambda status, headers: said.extend((status, headers))))
    return said[0], said[1], body


def _work(way: str) -> None:
    """Serve as many requests as each line of standard input says; answer with microseconds, calls and the count."""
    if way == "ours":
        import otel_distro

        os.environ.update({f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "LOGS")})
        os.environ.update(OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT="0")
        otel_distro.configure()
    app = _by_hand(_application()) if way == "by hand" else _application()

    from tests.asgi import scope_of

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        return

    async def ask(number: int) -> None:
        for _ in range(number):
            await app(scope_of("/items/7"), receive, send)

    async def work() -> None:
        served = 20
        await ask(served)
        for line in sys.stdin:
            number = int(line)
            profile = cProfile.Profile()
            profile.enable()
            await ask(1)
            profile.disable()
            begin = time.process_time()
            await ask(number)
            spent = (time.process_time() - begin) / number * 1e6
            served += number + 1
            calls = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
            print(json.dumps({"us": spent, "calls": calls, "counted": _counted(way), "served": served}), flush=True)

    asyncio.run(work())


class Way:
    """A process that serves in one way."""

    def __init__(self, name: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "tests.benchmarks.asgi_cost", "--work", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def serve(self, number: int) -> dict[str, float]:
        """Serve so many requests; raises AssertionError where not all were counted."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        assert answer["counted"] in (-1, answer["served"]), (self.name, answer)
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)


def run(rounds: int, requests: int) -> dict[str, list[dict[str, float]]]:
    """Return what each round of each way cost."""
    ways = [Way(name) for name in WAYS]
    try:
        found: dict[str, list[dict[str, float]]] = {way.name: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                found[way.name].append(way.serve(requests))
        return found
    finally:
        for way in ways:
            way.end()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure what the hook costs a request of Starlette.")
    parser.add_argument("--rounds", type=int, default=9, help="of each way (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=3000, help="in a round (default: %(default)s)")
    parser.add_argument("--work", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        _work(options.work)
        return 0
    try:
        found = run(options.rounds, options.requests)
    except AssertionError as error:
        print(f"not all was counted: {error}", file=sys.stderr)
        return 1
    print("| way | calls | CPU us | of bare |\n| --- | --- | --- | --- |")
    for name, costs in found.items():
        shares = [one["us"] / bare["us"] for one, bare in zip(costs, found["bare"], strict=True)]
        spent = statistics.median(one["us"] for one in costs)
        print(f"| {name} | {costs[-1]['calls']} | {spent:.1f} | {statistics.median(shares):.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
