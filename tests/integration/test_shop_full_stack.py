"""`make demo STACK=full`: the shop with all servers; what was sent is what each of them answers, and nothing stays."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.processes import AppProcess
from tests.support import request

COMMAND = ["python", "examples/shop/demo.py", "--stack", "full"]


def test_the_full_demo_ends_with_0_and_every_server_answers_what_was_sent(tmp_path: Path) -> None:
    with AppProcess([*COMMAND, "--folder", tmp_path, "--seconds", "6"]) as demo:
        assert demo.wait(280) == 0, demo.output
        printed = demo.stdout
    assert "index template python-app installed" in printed
    assert " 0 differ; the log agrees" in printed
    report = printed[printed.index("sent") :].splitlines()
    assert report[0].split() == ["sent", "counted", "Prometheus", "logged", "Elasticsearch"]
    figures = {line[:24].strip(): line[24:].split() for line in report[1:]}
    for row in ("requests with 200", "requests with 500", "orders completed", "error lines", "lines with a user"):
        sent, *others = figures[row]
        assert int(sent) > 0
        assert others == [sent, sent], row
    in_file, in_elasticsearch = figures["log lines"]
    assert in_file == in_elasticsearch
    assert "Everything is ready" in (tmp_path / "stack" / "collector.log").read_text()


def test_ctrl_c_ends_the_full_demo_with_all_its_servers(tmp_path: Path) -> None:
    with AppProcess([*COMMAND, "--folder", tmp_path]) as demo:
        demo.wait_for_output("log lines", 240)
        demo.signal(signal.SIGINT)
        assert demo.wait(120) == 0, demo.output
        addresses = set(re.findall(r"http://[\w.]+:\d+", demo.stdout))
    assert len(addresses) == 5  # shop, its page, Prometheus, Elasticsearch, the Collector's own metrics
    for address in addresses:
        with pytest.raises(OSError, match="refused"):
            request(address)
