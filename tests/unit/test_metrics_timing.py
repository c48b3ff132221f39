"""Timing of any kind of callable: the duration is recorded and the callable behaves as before."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.metrics import timing
from otel_distro.metrics.timing import TimedCall, Timer, timed


class _Watch(TimedCall):
    """A timed call that writes down what happens to it."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(lambda seconds: log.append("recorded" if seconds >= 0 else "negative"))
        self.log = log

    def resume(self) -> None:
        self.log.append("resume")

    def suspend(self) -> None:
        self.log.append("suspend")

    def end(self, error: BaseException | None) -> None:
        super().end(error)
        self.log.append(f"end {type(error).__name__}" if error else "end")


def test_what_is_recorded_is_the_seconds_from_begin_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    moments, seconds = iter((100.0, 102.5)), list[float]()
    monkeypatch.setattr(timing, "perf_counter", lambda: next(moments))
    with Timer(lambda: TimedCall(seconds.append)):
        pass
    assert seconds == [2.5]


ONCE = ["resume", "suspend", "recorded", "end"]


def test_a_function_is_timed_and_keeps_its_name_signature_and_result() -> None:
    log: list[str] = []

    def total(price: float, *, count: int = 1) -> float:
        """Multiply."""
        return price * count

    wrapped = timed(total, partial(_Watch, log))
    assert wrapped(2.5, count=4) == 10
    assert log == ONCE
    assert wrapped.__name__ == "total"
    assert wrapped.__doc__ == "Multiply."
    assert inspect.signature(wrapped) == inspect.signature(total)


def test_a_function_that_raises_is_timed_and_its_exception_goes_on() -> None:
    log: list[str] = []
    error = KeyError("x")

    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        timed(fail, partial(_Watch, log))()
    assert raised.value is error
    assert log == [*ONCE[:-1], "end KeyError"]


def test_a_coroutine_function_stays_one_and_is_timed_until_awaited() -> None:
    log: list[str] = []

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        log.append("ran")
        return 2 * number

    wrapped = timed(double, partial(_Watch, log))
    assert inspect.iscoroutinefunction(wrapped)
    waiting = wrapped(4)
    assert log == []
    assert asyncio.run(_finish(waiting)) == 8
    assert log == ["resume", "ran", *ONCE[1:]]


async def _finish(waiting: Any) -> Any:
    return await waiting


def test_a_cancelled_coroutine_is_timed() -> None:
    log: list[str] = []

    async def wait() -> None:
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.ensure_future(timed(wait, partial(_Watch, log))())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert log == [*ONCE[:-1], "end CancelledError"]


def _echo(log: list[str]) -> Generator[Any, Any, str]:
    """Yield back what is sent or thrown in, until 'stop' is sent."""
    log.append("started")
    item: Any = "ready"
    try:
        while item != "stop":
            try:
                item = yield item
            except ValueError as error:
                item = f"caught {error}"
        return "done"
    finally:
        log.append("finished")


def _play(generator: Generator[Any, Any, Any], moves: list[tuple[str, Any]]) -> list[Any]:
    """Drive a generator and write down every answer."""
    answers: list[Any] = []
    for move, value in moves:
        try:
            if move == "send":
                answers.append(generator.send(value))
            elif move == "throw":
                answers.append(generator.throw(value))
            else:
                generator.close()
        except BaseException as error:  # noqa: BLE001 -- every outcome is compared
            answers.append((type(error), str(error)))
    return answers


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from([None, 1, "stop"])),
        st.tuples(
            st.just("throw"), st.sampled_from([ValueError("v"), KeyError("k"), StopIteration(3), GeneratorExit()])
        ),
        st.tuples(st.just("close"), st.none()),
    ),
    max_size=6,
)


@given(MOVES)
def test_a_timed_generator_answers_every_send_throw_and_close_as_the_bare_one(moves: list[tuple[str, Any]]) -> None:
    bare: list[str] = []
    wrapped: list[str] = []
    log: list[str] = []
    expected = _play(_echo(bare), moves)
    assert _play(timed(_echo, partial(_Watch, log))(wrapped), moves) == expected
    assert wrapped == bare
    assert log.count("recorded") == bare.count("finished")
    assert log.count("resume") == log.count("suspend")


def test_a_generator_is_held_only_while_it_runs_and_ends_once() -> None:
    log: list[str] = []

    def count() -> Generator[int, None, str]:
        yield 1
        yield 2
        return "all"

    generator = timed(count, partial(_Watch, log))()
    assert log == []
    assert next(generator) == 1
    assert log == ["resume", "suspend"]
    with pytest.raises(StopIteration, match="all"):
        next(generator), next(generator)
    assert log == ["resume", "suspend"] * 3 + ["recorded", "end"]


def test_a_generator_that_is_dropped_is_timed_and_one_never_started_is_not() -> None:
    log: list[str] = []
    wrapped = timed(_echo, partial(_Watch, log))
    wrapped([])
    assert log == []
    generator = wrapped([])
    next(generator)
    del generator
    assert log[-2:] == ["recorded", "end GeneratorExit"]


async def _async_echo(log: list[str]) -> AsyncGenerator[Any, Any]:
    log.append("started")
    item: Any = "ready"
    try:
        while item != "stop":
            await asyncio.sleep(0)
            try:
                item = yield item
            except ValueError as error:
                item = f"caught {error}"
    finally:
        log.append("finished")


async def _play_async(generator: AsyncGenerator[Any, Any], moves: list[tuple[str, Any]], log: list[str]) -> list[Any]:
    answers: list[Any] = []
    for move, value in moves:
        try:
            if move == "send":
                answers.append(await generator.asend(value))
            elif move == "throw":
                answers.append(await generator.athrow(value))
            else:
                await generator.aclose()
        except BaseException as error:  # noqa: BLE001 -- every outcome is compared
            answers.append((type(error), str(error)))
    await generator.aclose()
    return [*answers, *log]


@given(MOVES)
def test_a_timed_async_generator_answers_every_asend_athrow_and_aclose_as_the_bare_one(
    moves: list[tuple[str, Any]],
) -> None:
    bare: list[str] = []
    wrapped: list[str] = []
    log: list[str] = []
    expected = asyncio.run(_play_async(_async_echo(bare), moves, bare))
    assert asyncio.run(_play_async(timed(_async_echo, partial(_Watch, log))(wrapped), moves, wrapped)) == expected
    assert wrapped == bare
    assert log.count("recorded") == bare.count("finished")
    assert log.count("resume") == log.count("suspend")


def test_static_and_class_methods_are_timed_in_either_order_of_decorators() -> None:
    log: list[str] = []
    track = Timer(partial(_Watch, log))

    class Shop:
        name = "shop"

        @track
        def method(self) -> str:
            return self.name

        @staticmethod
        @track
        def inner_static(text: str) -> str:
            return text

        @track
        @staticmethod
        def outer_static(text: str) -> str:
            return text

        @classmethod
        @track
        def inner_class(cls) -> str:
            return cls.name

        @track
        @classmethod
        def outer_class(cls) -> str:
            return cls.name

    shop = Shop()
    assert [shop.method(), shop.inner_static("a"), shop.outer_static("b")] == ["shop", "a", "b"]
    assert [Shop.inner_class(), Shop.outer_class()] == ["shop", "shop"]
    assert log == ONCE * 5


def test_objects_that_are_called_are_timed_by_the_kind_of_their_call() -> None:
    log: list[str] = []

    class Fetch:
        async def __call__(self) -> str:
            return "fetched"

    fetch = timed(Fetch(), partial(_Watch, log))
    assert inspect.iscoroutinefunction(fetch)
    assert asyncio.run(fetch()) == "fetched"
    assert timed(partial(int, "2"), partial(_Watch, log))() == 2
    assert log == ONCE * 2


def test_a_timer_times_blocks_one_in_another() -> None:
    log: list[str] = []
    timer = Timer(partial(_Watch, log))
    with timer, timer:
        log.append("inside")
    assert log == ["resume", "resume", "inside", *ONCE[1:], *ONCE[1:]]
