"""Records are those of the logging module, attribute by attribute, but for what is captured."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.logs.records import _PATHS_LIMIT, Maker

VARY = ("created", "msecs", "relativeCreated")
MAKER = Maker(lambda: "captured")


def same(*args: Any, **kwargs: Any) -> None:
    made, stock = MAKER.make(*args, **kwargs), logging.LogRecord(*args, **kwargs)
    attributes = dict(made.__dict__)
    assert attributes.pop("_otel_distro", "captured" if args[0] is None else "") == "captured"
    assert type(made) is logging.LogRecord
    assert list(attributes) == list(stock.__dict__)
    for key, value in stock.__dict__.items():
        assert type(attributes[key]) is type(value)
        assert attributes[key] == value or key in VARY
    assert abs(made.created - stock.created) < 60
    assert abs(made.relativeCreated - stock.relativeCreated) < 60_000
    assert made.msecs == int((made.created - int(made.created)) * 1000)


def test_this_python_is_supported() -> None:
    assert MAKER.is_like_stock()


ARGUMENTS = st.tuples() | st.tuples(st.text()) | st.tuples(st.dictionaries(st.text(), st.integers())) | st.none()


@given(
    st.tuples(
        *(st.text() | st.none(), st.integers(0, 60), st.text() | st.none() | st.integers(), st.integers(), st.text()),
        *(ARGUMENTS, st.none(), st.text() | st.none(), st.text() | st.none()),
    )
)
def test_whatever_the_arguments_are(arguments: tuple[Any, ...]) -> None:
    same(*arguments)


def test_in_a_thread_and_in_a_task() -> None:
    arguments = ("a", 20, "/a/b.py", 3, "m", (), None, "f", None)
    failed: list[BaseException] = []

    def check() -> None:
        try:
            same(*arguments)
        except AssertionError as error:
            failed.append(error)

    thread = threading.Thread(target=check, name="worker")
    thread.start()
    thread.join()

    async def task() -> None:
        same(*arguments)

    asyncio.run(task())
    assert not failed


def test_in_a_forked_child() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if MAKER.make("a", 20, "a.py", 1, "m", (), None).process == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("name", ["logThreads", "logProcesses", "logMultiprocessing"])
def test_what_logging_is_told_to_leave_out_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, name, False)
    same("a", 20, "/a/b.py", 3, "m", (), None, "f", None)


def test_where_the_logging_module_makes_other_records_ours_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(logging.LogRecord):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.more = 1

    monkeypatch.setattr(logging, "LogRecord", Other)
    assert not MAKER.is_like_stock()


def test_paths_are_bounded() -> None:
    maker = Maker(lambda: None)
    for number in range(_PATHS_LIMIT + 10):
        assert maker.make("a", 20, f"/a/b{number}.py", 1, "m", (), None).module == f"b{number}"
    assert len(maker._paths) <= _PATHS_LIMIT


def test_one_that_is_not_active_captures_nothing() -> None:
    maker = Maker(lambda: "captured")
    maker.active = False
    assert "_otel_distro" not in maker.make("a", 20, "a.py", 1, "m", (), None).__dict__
