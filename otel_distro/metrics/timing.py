"""Time any kind of callable: functions, coroutine functions, generators of both kinds, static and class methods."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import wraps
from time import perf_counter
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class TimedCall:
    """One call under measurement, from its making to `end`; records the seconds by the callable it was given.

    As a context manager it stands around the whole call. A call that runs in several goes (a generator) is held by
    `resume` and `suspend` around each of them.
    """

    __slots__ = ("_record", "_start")

    def __init__(self, record: Callable[[float], None]) -> None:
        self._record = record
        self._start = perf_counter()

    def resume(self) -> None:
        """The call goes on running."""

    def suspend(self) -> None:
        """The call hands control back, to go on later or never."""

    def end(self, error: BaseException | None) -> None:  # noqa: ARG002 -- for those that note the exception
        """The call is over, by this exception if by any."""
        self._record(perf_counter() - self._start)

    def __enter__(self) -> None:
        self.resume()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.suspend()
        self.end(error)


Begin: TypeAlias = Callable[[], TimedCall]


class Timer:
    """Times a `with` block, or as a decorator each call of a function of any kind; seconds, exceptions included.

    As a decorator it serves any number of threads and tasks at once; in `with`, one block at a time.
    """

    __slots__ = ("_begin", "_calls")

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._calls: list[TimedCall] = []

    def __enter__(self) -> None:
        call = self._begin()
        call.resume()
        self._calls.append(call)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        call = self._calls.pop()
        call.suspend()
        call.end(error)

    def __call__(self, function: F) -> F:
        """Return the function with every call timed, as a decorator does."""
        return timed(function, self._begin)


def timed(function: F, begin: Begin) -> F:
    """Return the function with every call of it put between `begin()` and its end; its kind and signature stay.

    A generator is timed from its first value asked for until it is exhausted, closed or raises; a generator that is
    never started is not.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return cast(F, type(function)(timed(function.__func__, begin)))
    wrapped: Callable[..., Any]
    if is_kind(function, inspect.iscoroutinefunction):
        wrapped = _coroutine_function(function, begin)
    elif is_kind(function, inspect.isasyncgenfunction):
        wrapped = _async_generator_function(function, begin)
    elif is_kind(function, inspect.isgeneratorfunction):
        wrapped = _generator_function(function, begin)
    else:
        wrapped = _function(function, begin)
    return cast(F, wrapped)


def is_kind(function: object, test: Callable[[object], bool]) -> bool:
    """Ask a question of `inspect` about a function, or about the `__call__` of an object that is called like one."""
    return test(function) or test(getattr(type(function), "__call__", None))  # noqa: B004 -- its kind is asked for


def _function(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with begin():
            return function(*args, **kwargs)

    return call


def _coroutine_function(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with begin():
            return await function(*args, **kwargs)

    return call


def _generator_function(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    # What `yield from` does (PEP 380), with the call resumed only while the generator itself runs.
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        timed_call = begin()
        error: BaseException | None = None
        try:
            item = _go_on(timed_call, next, generator)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    _go_on(timed_call, generator.close)
                    raise
                except BaseException as thrown:  # noqa: BLE001 -- the generator decides what it handles
                    item = _go_on(timed_call, generator.throw, thrown)
                else:
                    item = _go_on(timed_call, generator.send, sent)
        except StopIteration as stop:
            return stop.value
        except BaseException as raised:
            error = raised
            raise
        finally:
            timed_call.end(error)

    return call


def _async_generator_function(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        timed_call = begin()
        error: BaseException | None = None
        try:
            item = await _await(timed_call, generator.__anext__())
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    await _await(timed_call, generator.aclose())
                    raise
                except BaseException as thrown:  # noqa: BLE001 -- the generator decides what it handles
                    item = await _await(timed_call, generator.athrow(thrown))
                else:
                    item = await _await(timed_call, generator.asend(sent))
        except StopAsyncIteration:
            return
        except BaseException as raised:
            error = raised
            raise
        finally:
            timed_call.end(error)

    return call


def _go_on(timed_call: TimedCall, function: Callable[..., T], *args: Any) -> T:
    timed_call.resume()
    try:
        return function(*args)
    finally:
        timed_call.suspend()


async def _await(timed_call: TimedCall, awaitable: Awaitable[T]) -> T:
    timed_call.resume()
    try:
        return await awaitable
    finally:
        timed_call.suspend()
