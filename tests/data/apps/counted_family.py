"""A program that counts in processes of its own: forked, spawned, in a pool, or started as programs.

`counted_family.py <way> <processes> <counts each>`; it then waits for a line on standard input, or for its end.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from opentelemetry import metrics, trace

from tests.ledger import Ledger

_work = metrics.get_meter("counted").create_counter("work", description="Things done")
_tracer = trace.get_tracer("counted")


def count(times: int) -> None:
    ledger = Ledger(os.environ["LEDGER"])
    for number in range(times):
        with _tracer.start_as_current_span(f"{os.getpid()} {number}"):
            ledger.write(f"{os.getpid()} {number}")
            _work.add(1, {"kind": "call"})


def stay(times: int) -> None:
    count(times)
    time.sleep(60)


def main() -> None:
    way, processes, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    count(times)  # the parent has counted before, and its children must not count that again
    if way == "program":
        count(0)
    elif way == "subprocess":
        words = [sys.executable, __file__, "program", "0", str(times)]
        children = [subprocess.Popen(words) for _ in range(processes)]
        assert [child.wait(60) for child in children] == [0] * processes
    elif way == "pool":
        with ProcessPoolExecutor(processes) as pool:
            list(pool.map(count, [times] * processes))
    else:
        context: Any = multiprocessing.get_context(way.split()[-1])
        target = stay if way.startswith("staying ") else count
        workers = [context.Process(target=target, args=(times,), daemon=True) for _ in range(processes)]
        for worker in workers:
            worker.start()
            if way.startswith("busy "):
                count(times)
                time.sleep(0.02)
        if target is count:
            for worker in workers:
                worker.join(60)
            assert [worker.exitcode for worker in workers] == [0] * processes
    if way != "program":  # of a child nobody is told: its brothers may be at work
        print("done", flush=True)
        time.sleep(60)


if __name__ == "__main__":
    main()
