"""How many function calls the hook adds to a request of Starlette: a figure that no machine and no load changes."""

from __future__ import annotations

from tests.benchmarks import asgi_cost

# What it adds now, and some room.
MOST = 45


def test_the_hook_adds_few_calls_and_fewer_than_the_same_metrics_by_hand() -> None:
    found = {name: costs[-1]["calls"] for name, costs in asgi_cost.run(rounds=2, requests=10).items()}
    assert 0 < found["ours"] - found["bare"] <= MOST, found
    assert found["ours"] < found["by hand"], found
