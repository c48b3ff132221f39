"""Long lines put aside and found again."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from otel_distro.analyzer.long_lines import LONG, LongLines, _lines, has_long_line


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b" ")), max_size=8), st.integers(1, 6))
def test_lines_over_the_limit_and_no_others_are_replaced(lines: list[bytes], limit: int) -> None:
    kept = list(_lines(io.BytesIO(b"".join(line + b"\n" for line in lines)), limit))
    assert kept == [line + b"\n" if len(line) <= limit else b"-\n" for line in lines]


def test_a_last_line_without_its_end_is_a_line() -> None:
    assert list(_lines(io.BytesIO(b"a\nbc"), 2)) == [b"a\n", b"bc"]


def test_a_stand_in_is_short_has_the_fields_of_queries_and_gives_the_whole_document_back(tmp_path: Path) -> None:
    document = {"timestamp": "2025-03-02", "user_id": ["u"], "line": 7, "message": "m" * 50_000, "extra": ["x"] * 9000}
    short = {"timestamp": "2025-03-01"}
    log = tmp_path / "app.log.gz"
    log.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in (short, document)).encode()))
    assert has_long_line(log)
    long_lines = LongLines(tmp_path, 1 << 20)
    [copy] = long_lines.without([log])
    first, second = map(json.loads, copy.read_text().splitlines())
    assert first == short == long_lines.whole(first)
    assert len(json.dumps(second)) < 2000
    assert {**document, **second, "message": document["message"]}.items() >= document.items()
    assert second["message"] == "m" * 1000
    assert long_lines.whole(second) == document
    long_lines.close()


def test_a_file_without_long_lines_is_read_where_it_lies(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"x" * (LONG - 1) + b"\n" + b"y" * LONG)
    assert not has_long_line(log)
    assert LongLines(tmp_path, 1 << 20).without([log]) == [log]


def test_long_lines_that_are_no_documents_stay_broken(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    broken = [b"[" + b"1," * LONG + b"1]", b"\xff" * (LONG + 1), b"z" * (LONG * 70), b'{"a": "' + b"x" * LONG]
    log.write_bytes(b"\n".join(broken))
    [copy] = LongLines(tmp_path, LONG * 64).without([log])
    assert copy.read_bytes() == b"-\n" * 4
