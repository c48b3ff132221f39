"""Attributes set the short way are those that the SDK's own way leaves, whatever is set."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes

from otel_distro import attributes

values = (
    st.text(max_size=8)
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
    | st.binary(max_size=3)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.just(object)
)
mappings = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", "f", ""]) | st.just(7), values, max_size=6)


@pytest.fixture(autouse=True)
def _given_back() -> Iterator[None]:
    yield
    attributes.uninstall()


def kept(maxlen: int | None, longest: int | None, steps: list[Any], wrapped: bool) -> tuple[list[Any], int]:
    holder: Any = BoundedAttributes(maxlen, steps[0], immutable=False, max_value_len=longest)
    for step in steps[1:]:
        holder._set_items(MappingProxyType(step) if wrapped else step)
    return list(holder.items()), holder.dropped


@given(
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 5),
    st.lists(mappings, min_size=1, max_size=4),
    st.booleans(),
)
def test_the_short_way_keeps_what_the_sdk_keeps(
    maxlen: int | None, longest: int | None, steps: list[Any], wrapped: bool
) -> None:
    expected = kept(maxlen, longest, steps, wrapped)
    attributes.install()
    try:
        assert kept(maxlen, longest, steps, wrapped) == expected
    finally:
        attributes.uninstall()


def test_what_is_frozen_stays_so_and_what_is_given_is_not_kept() -> None:
    attributes.install()
    attributes.install()
    frozen: Any = BoundedAttributes(None, {"a": 1})
    with pytest.raises(TypeError):
        frozen._set_items({"b": 2})
    mine = {"a": 1}
    holder = BoundedAttributes(None, mine, immutable=False)
    mine["a"] = 2
    assert dict(holder) == {"a": 1}


def test_uninstalling_gives_the_sdk_its_own_way_back() -> None:
    stock = BoundedAttributes._set_items
    attributes.install()
    assert BoundedAttributes._set_items is not stock
    attributes.uninstall()
    assert BoundedAttributes._set_items is stock
