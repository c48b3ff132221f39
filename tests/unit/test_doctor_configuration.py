"""The declarative configuration."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from otel_distro.doctor import configuration


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration file's path, where the package that reads it is installed: one that reads any YAML."""

    def load(path: str) -> None:
        try:
            yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ValueError(f"Failed to parse YAML: {error}") from error

    monkeypatch.setattr(configuration, "find_spec", lambda _: object())
    monkeypatch.setattr(configuration, "import_module", lambda _: SimpleNamespace(load_config_file=load))
    (tmp_path / "otel.yaml").write_text("file_format: '1.0'\n")
    return tmp_path / "otel.yaml"


def test_a_file_that_is_not_there_and_a_package_that_is_missing_are_faults(tmp_path: Path) -> None:
    (gone,) = configuration.look(str(tmp_path / "otel.yaml"), {})
    assert (gone.status, "is no file that this user may read" in gone.found) == ("fault", True)
    (tmp_path / "otel.yaml").touch()
    (needs,) = configuration.look(str(tmp_path / "otel.yaml"), {})
    assert needs.mend == "pip install opentelemetry-configuration, or unset OTEL_CONFIG_FILE"


def test_with_file_and_package_it_says_what_is_not_looked_at(file: Path) -> None:
    (found,) = configuration.look(str(file), {"OTEL_DISTRO_LOG_FILE": "x.log", "OTEL_METRICS_EXPORTER": ""})
    assert (found.status, found.found.endswith("and not looked at")) == ("ok", True)


def test_a_file_that_cannot_be_parsed_is_a_fault_that_names_the_line_and_no_value(file: Path) -> None:
    file.write_text("file_format: '1.0'\nheaders: [token\n")
    (found,) = configuration.look(str(file), {})
    assert (found.status, "in line 3" in found.found, "token" in found.found) == ("fault", True, False)


def test_one_that_does_not_fit_the_schema_is_a_fault_that_names_the_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherError(Exception):
        json_path = "$.tracer_provider"

    def load(_: str) -> Any:
        raise ValueError("'secret' is not of type 'object'") from OtherError()

    monkeypatch.setattr(configuration, "import_module", lambda _: SimpleNamespace(load_config_file=load))
    (found,) = configuration.look(str(file), {})
    assert found.found.endswith(": what stands at $.tracer_provider does not fit the schema")


def test_variables_that_have_no_force_beside_the_file_are_named_unless_it_reads_them_itself(file: Path) -> None:
    environment = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_DISTRO_SERIES_LIMITS": "jobs=5", "OTEL_SERVICE_NAME": "shop"}
    (found,) = configuration.look(str(file), environment)
    assert (found.status, found.mend) == ("warning", "say it in that file, or unset OTEL_CONFIG_FILE")
    assert found.found.endswith("beside which OTEL_DISTRO_SERIES_LIMITS, OTEL_TRACES_EXPORTER have no force")
    file.write_text("limits: ${OTEL_DISTRO_SERIES_LIMITS}\n")
    (found,) = configuration.look(str(file), environment)
    assert found.found.endswith("beside which OTEL_TRACES_EXPORTER has no force")
