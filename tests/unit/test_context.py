"""Request id and user id."""

from __future__ import annotations

import contextvars
import sys
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.context import (
    accepted_request_id,
    current_user,
    forks_unseen,
    get_request_id,
    new_request_id,
    request_id,
    set_user,
    waiting_ids,
)


@given(st.text(max_size=200))
def test_an_accepted_id_is_always_visible_ascii_of_at_most_128_characters(candidate: str) -> None:
    accepted = accepted_request_id(candidate)
    assert 1 <= len(accepted) <= 128
    assert all(33 <= ord(character) <= 126 for character in accepted)
    usable = 1 <= len(candidate) <= 128 and all(33 <= ord(character) <= 126 for character in candidate)
    assert (accepted == candidate) is usable


def test_new_ids_differ() -> None:
    assert len({new_request_id() for _ in range(1000)}) == 1000


def test_nothing_waits_in_a_process_of_uwsgi_that_its_workers_would_have_too(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = 0
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(worker_id=lambda: worker))
    waiting_ids.clear()
    assert len({new_request_id() for _ in range(10)}) == 10
    assert waiting_ids == []
    worker = 1
    new_request_id()
    assert waiting_ids


@pytest.mark.parametrize("module", [None, ModuleType("uwsgi")], ids=["none", "one that nobody has filled"])
def test_only_uwsgi_forks_without_a_word(module: ModuleType | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not forks_unseen()
    if module is not None:
        monkeypatch.setitem(sys.modules, "uwsgi", module)
        assert forks_unseen(), "it is filled before the application is loaded, and forks later"


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [("u1", "u1"), (7, "7"), (None, None), ("x" * 1000, "x" * 256), ("", ""), ("\u4e2d", "\u4e2d")],
)
def test_a_user_is_kept_as_text_of_bounded_length(given_id: object, kept: str | None) -> None:
    def inside() -> str | None:
        set_user(given_id)
        return current_user()

    assert contextvars.copy_context().run(inside) == kept


def test_a_user_whose_text_is_of_a_class_of_its_own_is_plain_text() -> None:
    class Named(str):
        __slots__ = ()

        def __str__(self) -> str:
            return self

        def __getitem__(self, _: object) -> Named:
            return self

    def inside() -> str | None:
        set_user(Named("ann"))
        return current_user()

    assert type(contextvars.copy_context().run(inside)) is str


def test_a_user_whose_text_raises_is_none() -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def inside() -> str | None:
        set_user("before")
        set_user(Hostile())
        return current_user()

    assert contextvars.copy_context().run(inside) is None


def test_outside_of_a_request_there_is_no_id() -> None:
    assert get_request_id() is None
    assert request_id.get() is None
