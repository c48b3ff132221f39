"""The README names what a user imports, and says what is cut of a log line and who may read it, as the code has it."""

from __future__ import annotations

import re

import pytest

import otel_distro
from otel_distro.context import REQUEST_ID_LIMIT, USER_ID_LIMIT
from otel_distro.logs import line_file
from otel_distro.logs.values import DEPTH_LIMIT
from tests.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted({*otel_distro.__all__} - {"__version__"}))
def test_every_name_that_a_user_imports_is_in_the_readme(name: str) -> None:
    assert re.search(rf"\b{name}\b", README)


def test_what_is_cut_of_a_log_line_is_said_as_the_code_has_it() -> None:
    assert f"(up to {REQUEST_ID_LIMIT} visible ASCII characters)" in README
    assert f"its first {USER_ID_LIMIT} characters" in README
    assert f"of objects, the first {DEPTH_LIMIT} levels" in README


def test_who_may_read_a_log_file_is_said_as_the_code_has_it() -> None:
    assert f"mode {line_file._FILE_MODE:04o}, a folder {line_file._FOLDER_MODE:04o}" in README
    assert f"mode {line_file._FILE_MODE:04o}" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
