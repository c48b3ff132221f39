"""What waits for uWSGI's workers; `tests/integration/test_servers_uwsgi.py` has the real one."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest

from otel_distro.metrics.by_hand import left_to_workers as asked_of
from otel_distro.metrics.workers import left_to_workers


@pytest.fixture
def uwsgi(monkeypatch: pytest.MonkeyPatch) -> Any:
    made: Any = ModuleType("uwsgi")
    made.worker_id = lambda: 0
    monkeypatch.setitem(sys.modules, "uwsgi", made)
    return made


def test_outside_of_uwsgi_nothing_waits() -> None:
    assert not asked_of(lambda: None)
    assert not left_to_workers(lambda: None)


def test_a_module_that_has_but_its_name_of_uwsgi_holds_nothing_back(uwsgi: Any) -> None:
    del uwsgi.worker_id
    assert not left_to_workers(lambda: None)


@pytest.mark.parametrize("forked", ["worker_id", "mule_id", "i_am_the_spooler"])
def test_in_a_worker_a_mule_and_a_spooler_nothing_waits(uwsgi: Any, forked: str) -> None:
    setattr(uwsgi, forked, lambda: 2)
    assert not left_to_workers(lambda: None)


def test_all_that_waits_is_called_once_in_its_order(uwsgi: Any) -> None:
    called: list[str] = []
    uwsgi.post_fork_hook = lambda: called.append("before")
    assert asked_of(lambda: called.append("first"))
    assert asked_of(lambda: called.append("second"))
    uwsgi.post_fork_hook()
    uwsgi.post_fork_hook()
    assert called == ["before", "first", "second"]


@pytest.mark.parametrize("imported", ["before", "after"])
def test_what_uwsgidecorators_has_is_called_as_well(
    uwsgi: Any, monkeypatch: pytest.MonkeyPatch, imported: str, tmp_path: Any
) -> None:
    called: list[str] = []
    (tmp_path / "uwsgidecorators.py").write_text(
        "import uwsgi\n"
        "postfork_chain = []\n"
        "def hook():\n"
        "    for function in postfork_chain:\n"
        "        function()\n"
        "uwsgi.post_fork_hook = hook\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "uwsgidecorators", raising=False)
    if imported == "after":
        left_to_workers(lambda: called.append("ours"))
    uwsgidecorators: Any = importlib.import_module("uwsgidecorators")

    if imported == "before":
        left_to_workers(lambda: called.append("ours"))
    uwsgidecorators.postfork_chain.append(lambda: called.append("theirs"))
    uwsgi.post_fork_hook()
    assert sorted(called) == ["ours", "theirs"]
    monkeypatch.delitem(sys.modules, "uwsgidecorators")
