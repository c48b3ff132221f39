"""A real node exporter starts here with the collectors that are wanted, and again on its port after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.errors import ServiceError
from tests.services.node_exporter import NodeExporter


def test_it_shows_the_wanted_collectors_and_comes_again_on_its_port(node_exporter_binary: Path) -> None:
    wanted = ["--collector.disable-defaults", "--collector.loadavg"]
    with NodeExporter(node_exporter_binary, flags=wanted) as server:
        assert "node_load1 " in server.page
        assert "node_cpu_seconds_total" not in server.page
        url = server.url
        server.kill()
        with pytest.raises(OSError, match="refused"):
            assert server.page
        server.start()
        assert server.url == url
        assert "node_load1 " in server.page
        server.stop()
        assert not server.running


def test_a_wrong_flag_does_not_start_and_its_words_are_shown(node_exporter_binary: Path) -> None:
    with pytest.raises(ServiceError, match=r"(?s)ended with status 1.*no-such-flag"):
        NodeExporter(node_exporter_binary, flags=["--no-such-flag"]).start()
