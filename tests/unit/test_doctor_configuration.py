"""The declarative configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_distro.doctor import configuration


def test_a_file_that_is_not_there_and_a_package_that_is_missing_are_faults(tmp_path: Path) -> None:
    (gone,) = configuration.look(str(tmp_path / "otel.yaml"))
    assert (gone.status, "is no file that this user may read" in gone.found) == ("fault", True)
    (tmp_path / "otel.yaml").touch()
    (needs,) = configuration.look(str(tmp_path / "otel.yaml"))
    assert needs.mend == "pip install opentelemetry-configuration, or unset OTEL_CONFIG_FILE"


def test_with_file_and_package_it_says_what_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "find_spec", lambda _: object())
    (tmp_path / "otel.yaml").touch()
    (found,) = configuration.look(str(tmp_path / "otel.yaml"))
    assert (found.status, found.found.endswith("and not looked at")) == ("ok", True)
