"""The local store on files as they are found: rotated, gzipped, broken, growing, vanishing, oddly named."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from otel_distro.analyzer import duckdb_session, held_files
from otel_distro.analyzer.analyzer import LogAnalyzer
from otel_distro.analyzer.files import look_for
from otel_distro.errors import StoreError
from tests.log_oracle import NOW, Document, analyzer_of, log_document, write_log

MOMENT = NOW - timedelta(minutes=10)
GOOD = json.dumps(log_document(MOMENT, 1, level="ERROR", user_id="u")).encode() + b"\n"
ASK: dict[str, Callable[[LogAnalyzer], Any]] = {
    "errors": lambda analyzer: len(analyzer.search_errors()),
    "rate": lambda analyzer: analyzer.get_error_rate()["errors"],
    "user": lambda analyzer: len(analyzer.search_by_user("u")),
    "top": lambda analyzer: sum(group["count"] for group in analyzer.top_errors()),
}


def _line(**fields: Any) -> bytes:
    return json.dumps({**log_document(MOMENT, 1, level="ERROR", user_id="u"), **fields}).encode() + b"\n"


def _without(name: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(GOOD).items() if key != name}).encode() + b"\n"


BROKEN: dict[str, bytes] = {
    "text": b"Traceback (most recent call last):\n",
    "binary": bytes(range(11, 256)) + b"\n",
    "zeros": b"\0" * 5000 + b"\n",
    "invalid UTF-8": GOOD.replace(b"message 1", b"\xff\xfe"),
    "an array": b"[1, 2]\n",
    "a number": b"5\n",
    "a text": b'"x"\n',
    "null": b"null\n",
    "an array of documents": b"[" + GOOD[:-1] + b"]\n",
    "two documents on a line": GOOD[:-1] + GOOD,
    "text after the document": GOOD[:-1] + b" x\n",
    "an open document": b'{"timestamp":\n',
    "no timestamp": _without("timestamp"),
    "timestamp null": _line(timestamp=None),
    "timestamp a number": _line(timestamp=1740870000),
    "timestamp a list": _line(timestamp=["2025-03-02T00:20:00Z"]),
    "timestamp empty": _line(timestamp=""),
    "timestamp words": _line(timestamp="yesterday"),
    "timestamp infinity": _line(timestamp="infinity"),
    "timestamp month 13": _line(timestamp="2025-13-02T00:20:00Z"),
    "nested deeper than Python goes": GOOD[:-2] + b', "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n",
}


@pytest.mark.parametrize("question", ASK)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("broken", [name for name in BROKEN if not name.startswith("nested")])
def test_a_broken_line_is_skipped_and_counted(tmp_path: Path, broken: str, packed: bool, question: str) -> None:
    content = GOOD + BROKEN[broken] + GOOD
    path = tmp_path / ("app.log.gz" if packed else "app.log")
    path.write_bytes(gzip.compress(content) if packed else content)
    analyzer = analyzer_of(path)
    assert ASK[question](analyzer) == 2
    assert analyzer.skipped == 1


def test_a_document_nested_deeper_than_python_goes_is_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(GOOD + BROKEN["nested deeper than Python goes"])
    analyzer = analyzer_of(tmp_path / "app.log")
    assert len(analyzer.search_errors()) == 1
    assert analyzer.skipped == 1


def test_the_count_of_skipped_lines_is_that_of_the_last_question(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(GOOD + b"x\n" * 3)
    analyzer = analyzer_of(path)
    analyzer.get_error_rate()
    assert analyzer.skipped == 3
    path.write_bytes(GOOD)
    analyzer.search_errors()
    assert analyzer.skipped == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"level": 5},
        {"level": None},
        {"level": {"name": "ERROR"}},
        {"user_id": ["u"]},
        {"line": "forty", "module": 3, "error_type": {"a": 1}, "message": [1], "log_id": 7},
        {"message": "line\nbreak \u2028 \x1b[31m"},
        {"e": 1.5e300, "n": -0.0, "big": 10**40, "": "empty name", "a.b": {"c": None}},
    ],
)
def test_values_of_unexpected_types_are_kept_as_they_are(tmp_path: Path, fields: dict[str, Any]) -> None:
    document = {**log_document(MOMENT, 2, level="ERROR", request_id="r"), **fields}
    analyzer = analyzer_of(write_log(tmp_path / "app.log", [document]))
    assert analyzer.search_by_request("r") == [document]
    for ask in ASK.values():
        ask(analyzer)
        assert analyzer.skipped == 0


@pytest.mark.parametrize(
    "timestamp",
    [
        "2025-03-02T00:20:00Z",
        "2025-03-02T00:20:00.123456Z",
        "2025-03-02T00:20:00.123456789Z",
        "2025-03-02T00:20:00,123Z",
        "2025-03-02t00:20:00z",
        "2025-03-02T00:20:00",
        "2025-03-02 00:20:00,123",
        "2025-03-02T08:20:00+08:00",
        "2025-03-02T08:20:00.1234567+08:00",
        "2025-03-02T08:20:00.12345678+08:00",
        "2025-03-02T08:20:00,5+0800",
        "2025-03-01T20:50:00.5-03:30",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_a_timestamp_with_any_zone_or_fraction_is_read_and_without_a_zone_it_is_utc(
    tmp_path: Path, timestamp: str, zone: str
) -> None:
    line = _line(timestamp=timestamp)
    (tmp_path / "app.log").write_bytes(line + line.replace(b": ", b":").replace(b", ", b","))
    program = (
        "import sys; from datetime import datetime, timezone; from otel_distro.analyzer.analyzer import LogAnalyzer\n"
        "a = LogAnalyzer(sys.argv[1], now=lambda: datetime(2025, 3, 2, 0, 20, 1, tzinfo=timezone.utc))\n"
        "print(a.search_errors(hours=2 / 3600)[0]['timestamp'], a.get_error_rate(2 / 3600)['errors'], a.skipped)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "app.log")],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == f"{timestamp} 2 0\n"


def test_a_timestamp_that_is_no_iso_8601_or_of_no_year_that_elasticsearch_keeps_is_none(tmp_path: Path) -> None:
    times = ["epoch", "2025/03/02 00:20:00", "2025-03-02 00:20:00 Asia/Tokyo", " 2025-03-02", "0044-03-15 (BC)"]
    times += ["1969-12-31T23:59:59Z", "2262-04-11T23:47:16.854776Z", "9999-12-31T23:59:59.000000Z"]
    first = _line(timestamp="1970-01-01T00:00:00Z", request_id="r")
    last = _line(timestamp="2262-04-11T23:47:16.854775Z", request_id="r")
    (tmp_path / "app.log").write_bytes(first + last + b"".join(_line(timestamp=time, request_id="r") for time in times))
    analyzer = analyzer_of(tmp_path / "app.log")
    assert len(analyzer.search_by_request("r")) == 2
    assert analyzer.skipped == len(times)


def test_rotated_and_gzipped_files_give_one_answer(tmp_path: Path) -> None:
    documents = [log_document(MOMENT + timedelta(seconds=n), n, level="ERROR") for n in range(50)]
    write_log(tmp_path / "app.log", documents[40:])
    write_log(tmp_path / "app.log.1", documents[30:40])
    for number, part in ((2, documents[15:30]), (3, documents[:15])):
        path = write_log(tmp_path / f"app.log.{number}", part)
        (tmp_path / f"app.log.{number}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for pattern in ("*.log", "app.log", "*"):
        assert analyzer_of(tmp_path / pattern).search_errors() == list(reversed(documents))
    assert analyzer_of(tmp_path / "*.log").extent() == "50 lines of 4 files"


@pytest.mark.parametrize(
    "name",
    [
        "a'b.log",
        'a"b.log',
        "a,b.log",
        "a b.log",
        "a[1].log",
        "a*b.log",
        "a?b.log",
        "ä€用.log",
        "a{x}.log",
        "a\\b.log",
        "a\nb.log",
        "~.log",
        "%s.log",
        "a;DROP.log",
        "k=v.log",
        "-l.log",
        "$x.log",
        "a!b.log",
        "😀.log",
    ],
)
def test_a_file_of_any_name_is_read_and_only_that_one(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "axb.log").write_bytes(GOOD)
    (tmp_path / "a1.log").write_bytes(GOOD)
    (tmp_path / name).write_bytes(_line(user_id="own"))
    assert len(analyzer_of(tmp_path / name).search_by_user("own")) == 1
    assert analyzer_of(tmp_path / name).get_error_rate()["total"] == 1
    monkeypatch.chdir(tmp_path)
    assert LogAnalyzer(Path(name), now=lambda: NOW).get_error_rate()["total"] == 1


def test_a_name_that_is_no_utf8_is_read_where_the_file_is_held_open_and_else_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.log")
    Path(path).write_bytes(GOOD)
    assert len(analyzer_of(path).search_errors()) == 1
    monkeypatch.setattr(held_files, "_MOST", 0)
    with pytest.raises(StoreError, match="not UTF-8"):
        analyzer_of(path).search_errors()


def test_folders_with_an_equals_sign_add_nothing_to_the_documents(tmp_path: Path) -> None:
    folder = tmp_path / "json=1" / "us=2" / "user_id=other"
    folder.mkdir(parents=True)
    (folder / "app.log").write_bytes(GOOD)
    assert analyzer_of(tmp_path / "**" / "*.log").search_by_user("u") == [json.loads(GOOD)]
    assert analyzer_of(tmp_path / "**" / "*.log").get_error_rate()["errors"] == 1


@pytest.mark.parametrize("question", ASK)
def test_empty_files_give_empty_answers(tmp_path: Path, question: str) -> None:
    (tmp_path / "app.log").touch()
    (tmp_path / "app.log.1.gz").touch()
    assert ASK[question](analyzer_of(tmp_path / "*.log")) == 0
    assert analyzer_of(tmp_path / "*.log").extent() == "0 lines of 0 files"
    (tmp_path / "b.log").write_bytes(GOOD)
    assert ASK[question](analyzer_of(tmp_path / "*.log")) == 1


def test_the_half_line_at_the_end_of_a_growing_file_is_left_out_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(GOOD + GOOD[:50])
    analyzer = analyzer_of(path)
    assert len(analyzer.search_errors()) == 1
    with path.open("ab") as file:
        file.write(GOOD[50:-1])
    assert len(analyzer.search_errors()) == 2  # whole, even without its line end
    assert analyzer.skipped == 0


def test_a_line_of_ten_megabytes_is_read_and_one_past_the_limit_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    with path.open("wb") as file:
        file.writelines([GOOD, _line(message="a" * 10_000_000), GOOD])
    analyzer = analyzer_of(path)
    assert sorted(len(document["message"]) for document in analyzer.search_errors()) == [9, 9, 10_000_000]
    with path.open("ab") as file:
        file.writelines([b"\0" * 40_000_000 + b"\n", GOOD, b"x" * 40_000_000])
    for name, count in (("errors", 4), ("rate", 4), ("user", 4), ("top", 4)):
        assert ASK[name](analyzer) == count
        assert analyzer.skipped == 2


def test_hundreds_of_lines_of_a_megabyte_are_answered_whole(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    with path.open("wb") as file:
        for number in range(300):
            file.write(_line(log_id=f"{number:04d}", message=f"{number}" + "a" * 1_000_000))
    analyzer = analyzer_of(path)
    iterator = analyzer.iter_errors()
    assert [(document["log_id"], len(document["message"])) for document in iterator] == [
        (f"{number:04d}", len(str(number)) + 1_000_000) for number in reversed(range(300))
    ]
    assert ASK["rate"](analyzer) == 300
    assert ASK["top"](analyzer) == 300
    assert analyzer.skipped == 0


def test_files_that_rotate_away_meanwhile_are_found_again_under_their_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(GOOD)
    listed: list[int] = []

    def rotate_after_the_first_listing(pattern: str) -> Any:
        found = look_for(pattern)
        listed.append(len(found))
        if len(listed) == 1:
            path.rename(tmp_path / "app.log.1")
        return found

    monkeypatch.setattr(held_files, "look_for", rotate_after_the_first_listing)
    assert analyzer_of(path).search_errors() == [json.loads(GOOD)]
    assert len(listed) == 3  # the last one finds nothing new


def _rotate(folder: Path, files: int) -> None:
    """Rotate as RotatingFileHandler and logrotate do: each file gets the name of the next, a new one the first."""
    for number in range(files - 1, 0, -1):
        (folder / f"app.log.{number}").rename(folder / f"app.log.{number + 1}")
    (folder / "app.log").rename(folder / "app.log.1")
    (folder / "app.log").write_bytes(GOOD)


@pytest.mark.parametrize("most", [64, 1, 0], ids=["held open", "some held open", "none held open"])
def test_files_that_are_numbered_anew_before_they_are_read_are_each_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(held_files, "_MOST", most)
    for number, name in enumerate(("app.log", "app.log.1", "app.log.2")):
        write_log(tmp_path / name, [log_document(MOMENT, number)])
    stock, asked = duckdb_session._literal, list[int]()

    def rotate_before_the_first_reading(files: list[Path]) -> list[str]:
        if not asked:
            _rotate(tmp_path, 3)
        asked.append(len(files))
        return stock(files)

    monkeypatch.setattr(duckdb_session, "_literal", rotate_before_the_first_reading)
    answer = analyzer_of(tmp_path / "app.log").get_error_rate()
    # What was begun anew meets the new file as well.
    assert answer["total"] == (3 if most == 64 else 4)
    assert asked == ([3] if most == 64 else [3, 4])


def test_a_file_that_is_gzipped_while_the_files_are_listed_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, old = write_log(tmp_path / "app.log", [log_document(MOMENT, 1)]), tmp_path / "app.log.1"
    write_log(old, [log_document(MOMENT, 2)])

    listed: list[Any] = []

    def gzip_after_the_first_listing(pattern: str) -> Any:
        if listed and old.exists():
            old.with_name("app.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
            old.unlink()
        listed.append(look_for(pattern))
        return listed[-1]

    monkeypatch.setattr(held_files, "look_for", gzip_after_the_first_listing)
    assert analyzer_of(path).get_error_rate()["total"] == 2


def test_questions_while_a_file_is_written_and_rotated_never_fail_nor_double(tmp_path: Path) -> None:
    path, stop, asked = tmp_path / "app.log", threading.Event(), list[int]()
    path.write_bytes(GOOD)

    def write_and_rotate() -> None:
        number = 0
        while not stop.is_set():
            if number == 2_000 * len(asked):  # else a slow question meets ever more files, and is slower
                time.sleep(0.001)
                continue
            number += 1
            with path.open("ab") as file:
                file.write(json.dumps(log_document(MOMENT, number, level="ERROR")).encode() + b"\n")
            if number % 20 == 0:
                path.rename(tmp_path / f"app.log.{number}")

    writer = threading.Thread(target=write_and_rotate)
    writer.start()
    try:
        for question in range(15):
            asked.append(question)
            ids = [document["log_id"] for document in analyzer_of(path).iter_errors()][1:]
            assert len(set(ids)) >= len(ids) - 1  # the first line has the id of a later one
    finally:
        stop.set()
        writer.join()


def test_a_damaged_gzip_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(GOOD)
    damaged = tmp_path / "app.log.2.gz"
    whole = gzip.compress(os.urandom(50_000).hex().encode() + b"\n" + GOOD)
    for content in (whole[:-20], whole[:-4], whole[:1000], b"no gzip at all"):
        damaged.write_bytes(content)
        for ask in ASK.values():
            with pytest.raises(StoreError) as caught:
                ask(analyzer_of(tmp_path / "*.log"))
            assert str(damaged) in str(caught.value)
            assert "\n" not in str(caught.value)


def test_a_file_nobody_may_read_is_an_error_that_names_it() -> None:
    program = (
        "import decimal, os, sys, uuid, duckdb\n"
        "from otel_distro.analyzer.local import LocalStore\n"
        "if os.geteuid() == 0:\n"
        "    os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    LocalStore(sys.argv[1]).extent()\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "app.log"
        path.write_bytes(GOOD)
        path.chmod(0)
        answer = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert answer.stdout == f"StoreError {path} cannot be read: Permission denied\n"


def test_without_duckdb_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_log(tmp_path / "app.log", [])
    analyzer = analyzer_of(path)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(StoreError, match=r"pip install \"otel-distro\[local\]\""):
        analyzer.search_errors()


def test_no_temporary_files_stay_behind_and_the_working_folder_stays_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, here = tmp_path / "scratch", tmp_path / "here"
    scratch.mkdir()
    here.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.chdir(here)
    documents: list[Document] = [log_document(MOMENT, n, level="ERROR") for n in range(500)]
    analyzer = analyzer_of(write_log(tmp_path / "app.log", documents))
    iterator = analyzer.iter_errors()
    next(iterator)
    assert list(scratch.iterdir())
    iterator.close()  # type: ignore[attr-defined]
    assert len(analyzer.search_errors(size=500)) == 500
    assert list(scratch.iterdir()) == []
    assert list(here.iterdir()) == []


def test_several_threads_may_ask_one_analyzer(tmp_path: Path) -> None:
    documents = [log_document(MOMENT, n, user_id=f"u{n % 4}") for n in range(400)]
    analyzer = analyzer_of(write_log(tmp_path / "app.log", documents))
    found: dict[int, int] = {}

    def ask(number: int) -> None:
        found[number] = len(analyzer.search_by_user(f"u{number}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), 100)


def test_lines_without_a_log_id_are_followed_each_once(tmp_path: Path) -> None:
    documents = [{"timestamp": f"2026-11-24T09:00:0{n}.000000Z", "level": "INFO", "message": f"{n}"} for n in range(6)]
    path = write_log(tmp_path / "app.log", documents[:3])
    followed = analyzer_of(path).follow(2)
    first = [next(followed) for _ in range(3)]
    with path.open("a") as file:
        file.writelines(f"{json.dumps(document)}\n" for document in documents[3:])
    assert [*first, *(next(followed) for _ in range(3))] == [*documents[1:3], None, *documents[3:]]
    followed.close()  # type: ignore[attr-defined]
