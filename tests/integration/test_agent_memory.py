"""The memory in use, as the Collector counts it, has the buffers of connections in it: so it collects less often."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent import Agent, install_templates, line
from tests.services.elasticsearch import Elasticsearch
from tests.support import wait_until

HEAP = "otelcol_process_runtime_heap_alloc_bytes"


@pytest.mark.parametrize("each", [1_000_000, 40_000_000])
def test_a_connection_to_elasticsearch_holds_two_buffers_of_the_size_that_the_variable_says(
    each: int, collector_binary: Path, elasticsearch_server: Elasticsearch, tmp_path: Path
) -> None:
    install_templates(elasticsearch_server)
    with Agent(collector_binary, elasticsearch_server, tmp_path, {"CONNECTION_BUFFER_BYTES": str(each)}) as agent:
        before = agent.metric(HEAP)
        agent.write(line(log_id="one"))
        agent.wait_for(1)
        # The Collector looks at its heap anew from time to time only.
        after = wait_until(lambda: (now := agent.metric(HEAP)) != before and now, what="a new figure of the heap")
    # What else comes and goes in the heap of a Collector with one record.
    assert abs(after - before - 2 * each) < 30_000_000
