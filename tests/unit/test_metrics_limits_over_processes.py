"""A limit of series holds for a service, however many processes come and go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from opentelemetry.metrics import Counter
from opentelemetry.sdk.metrics import MeterProvider

from otel_distro.metrics.limits import FULL_FILE, OVERFLOW_LABEL, Full, Limits, write_full
from otel_distro.metrics.reader import PrometheusReader
from otel_distro.metrics.shared import CellFile
from otel_distro.metrics.store import CellStore
from tests.shared_metrics import COUNTER, GAUGE, Samples, parsed

_LIMIT = 3


def _process(folder: Path, name: str) -> tuple[PrometheusReader, Counter]:
    store = CellStore(lambda: CellFile(folder / f"{name}.cells"))
    reader = PrometheusReader(store=store, folder=folder, limits=Limits(_LIMIT, folder=folder))
    return reader, MeterProvider([reader], shutdown_on_exit=False).get_meter("app").create_counter("logins")


def _worker(folder: Path, name: str, *users: str) -> None:
    """Live and end as a process that counts these users."""
    reader, logins = _process(folder, name)
    for user in users:
        logins.add(1, {"user": user})
    reader.store.close()


def _logins(page: bytes) -> Samples:
    return {key: value for key, value in parsed(page).items() if key[0] == "logins_total"}


def test_recycled_processes_bring_no_more_series_than_one_may_have(tmp_path: Path) -> None:
    page, _ = _process(tmp_path, "page")
    for number in range(10):
        _worker(tmp_path, f"{number}-x", *(f"{number}-{user}" for user in range(_LIMIT)))
        found = _logins(page.page())
    assert len(found) == _LIMIT + 1
    assert sum(found.values()) == 10 * _LIMIT
    assert found["logins_total", ((OVERFLOW_LABEL, "true"),)] == 9 * _LIMIT


def test_series_that_ended_processes_have_left_are_counted_on(tmp_path: Path) -> None:
    page, _ = _process(tmp_path, "page")
    _worker(tmp_path, "1-x", "ann", "bob", "cid")
    page.page()
    _worker(tmp_path, "2-x", "ann", "dan")
    found = _logins(page.page())
    assert found["logins_total", (("user", "ann"),)] == 2
    assert found["logins_total", ((OVERFLOW_LABEL, "true"),)] == 1


def test_an_instrument_with_room_takes_new_series(tmp_path: Path) -> None:
    page, _ = _process(tmp_path, "page")
    _worker(tmp_path, "1-x", "ann", "bob")
    page.page()
    assert not (tmp_path / FULL_FILE).exists()
    _worker(tmp_path, "2-x", "cid")
    assert len(_logins(page.page())) == 3


def test_the_overflow_series_is_none_of_those_that_are_limited(tmp_path: Path) -> None:
    overflow = ((OVERFLOW_LABEL, "true"),)
    write_full(tmp_path, [(COUNTER, (("a", "1"),)), (COUNTER, overflow)], Limits(2))
    assert not Full(tmp_path).refuses(COUNTER, {"a": "2"}, 2)


def test_each_instrument_is_full_for_itself_and_by_the_limit_of_who_asks(tmp_path: Path) -> None:
    write_full(tmp_path, [(COUNTER, (("a", "1"),)), (GAUGE, (("a", "1"),))], Limits(5, {"hits": 1}))
    full = Full(tmp_path)
    assert full.refuses(COUNTER, {"a": "2"}, 1)
    assert not full.refuses(COUNTER, {"a": 1}, 1), "its label says the same"
    assert not full.refuses(COUNTER, {"a": "2"}, 2), "the limit has been raised"
    assert not full.refuses(GAUGE, {"a": "2"}, 1)


def test_what_is_full_no_more_takes_new_series(tmp_path: Path) -> None:
    write_full(tmp_path, [(COUNTER, (("a", "1"),))], Limits(1))
    write_full(tmp_path, [], Limits(1))
    assert not Full(tmp_path).refuses(COUNTER, {"a": "2"}, 1)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', "\xff"])
def test_a_file_that_cannot_be_read_refuses_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FULL_FILE).write_text(text, encoding="latin-1")
    assert not Full(tmp_path).refuses(COUNTER, {"a": "2"}, 1)
    assert not Full().refuses(COUNTER, {"a": "2"}, 1)


def test_a_forked_child_looks_at_once(tmp_path: Path) -> None:
    limits = Limits(1, folder=tmp_path)
    assert not limits.full.refuses(COUNTER, {"a": "2"}, 1)
    write_full(tmp_path, [(COUNTER, (("a", "1"),))], limits)
    limits.after_fork()
    assert limits.full.refuses(COUNTER, {"a": "2"}, 1)


def test_what_root_writes_down_is_for_the_user_whose_folder_it_is_and_through_no_link(tmp_path: Path) -> None:
    """Where root does not run the tests, the folder stays the tests' own."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    owner = os.getuid() or 65534
    os.chown(folder, owner, -1)
    elsewhere.write_text("precious")
    (folder / f"{FULL_FILE}.new").symlink_to(elsewhere)
    page, _ = _process(folder, "page")
    _worker(folder, "1-x", "ann", "bob", "cid")
    page.page()
    assert elsewhere.read_text() == "precious"
    assert (folder / FULL_FILE).lstat().st_uid == owner
