"""Where a server is looked for: the variable first, then PATH, then what fetches it; one error for all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import lookup
from tests.services.errors import ServiceError

VARIABLE = "OTEL_DISTRO_ANYTHING"


@pytest.fixture(autouse=True)
def _nothing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def programs(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


def wanted(fetched: Path | None = None) -> lookup.Wanted:
    def fetch() -> Path:
        if fetched is None:
            raise ServiceError("no network")
        return fetched

    both = {"server": ["server", "debian-server"], "tool": ["tool"]}
    return lookup.Wanted(name="anything", variable=VARIABLE, programs=both, fetch=fetch, mend="Install it")


def test_what_the_variable_names_comes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(tmp_path / "path", "server", "tool")
    named = programs(tmp_path / "named", "my-server", "tool")
    monkeypatch.setenv(VARIABLE, str(named / "my-server"))
    assert lookup.locate(wanted()) == {"server": named / "my-server", "tool": named / "tool"}


@pytest.mark.parametrize("below", ["", "bin"])
def test_the_variable_may_name_the_folder_or_the_one_above_bin(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = programs(tmp_path / "home" / below, "debian-server", "tool")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    assert lookup.locate(wanted()) == {"server": folder / "debian-server", "tool": folder / "tool"}


@pytest.mark.parametrize(("named", "missing"), [("nothing", "nothing"), ("lonely/server", "tool"), ("empty", "server")])
def test_a_variable_that_names_nothing_usable_is_an_error_even_with_the_server_on_path(
    named: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "path", "server", "tool")
    programs(tmp_path / "lonely", "server")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path / named))
    with pytest.raises(ServiceError, match=f"^{VARIABLE}=.*{named} cannot be used: .*{missing} is not a program"):
        lookup.locate(wanted())


def test_any_of_its_names_on_path_will_do(tmp_path: Path) -> None:
    folder = programs(tmp_path / "path", "debian-server", "tool")
    assert lookup.locate(wanted()) == {"server": folder / "debian-server", "tool": folder / "tool"}


def test_half_of_it_on_path_is_not_mixed_with_what_is_fetched(tmp_path: Path) -> None:
    programs(tmp_path / "path", "server")
    fetched = programs(tmp_path / "fetched", "server", "tool")
    assert lookup.locate(wanted(fetched)) == {"server": fetched / "server", "tool": fetched / "tool"}


def test_when_it_cannot_be_fetched_the_error_says_what_was_tried_and_the_mend() -> None:
    with pytest.raises(ServiceError) as raised:
        lookup.locate(wanted())
    said = str(raised.value)
    assert said.startswith(f"anything: not found. Tried ${VARIABLE} (unset), PATH (no server with tool), the cache ")
    assert said.endswith(f"fetching it (no network). Install it, or set {VARIABLE} to its path.")
