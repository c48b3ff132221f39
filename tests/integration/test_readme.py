"""The README does what it says: its Python runs, its commands answer, what it names exists."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, AppProcess
from tests.support import free_port

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
_TEXT = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
COMMANDS = [line.strip() for line in re.findall(r"^    (\S.*)$", _TEXT, re.MULTILINE)]
if sys.version_info < (3, 11):  # Grafana's SDK does not exist for it
    COMMANDS = [line for line in COMMANDS if "dashboards" not in line]
SHOP = [line.strip(" \\") for line in re.findall(r"^    (OTEL_SERVICE_NAME=.*\n.*)$", README, re.MULTILINE)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's own command has run the shop, with a user, a known request id and an error."""
    made = tmp_path_factory.mktemp("readme")
    (made / "examples").symlink_to(ROOT / "examples")
    words = shlex.split(SHOP[0].replace("\\\n", " "))
    env = dict(word.split("=", 1) for word in words if "=" in word)
    command = [word for word in words if "=" not in word]
    metrics_port, shop_port = free_port(), free_port()
    env |= {"OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics_port), "SHOP_PORT": str(shop_port)}
    with AppProcess(command, env, cwd=made) as shop:
        shop.wait_for_http(f"http://127.0.0.1:{shop_port}/health")
        answers = [asked(line, shop_port, metrics_port) for line in COMMANDS if line.startswith("curl ")]
        assert len(answers) == 2
        assert 'http_requests_total{endpoint="/api/orders",method="POST",status="402"} 1' in answers[-1]
    assert (made / "logs" / "shop.log").exists()
    return made


def asked(command: str, shop_port: int, metrics_port: int) -> str:
    """Answer to a command of the README, of the ports that are used here."""
    here = command.replace("localhost:5000", f"127.0.0.1:{shop_port}").replace(":8000", f":{metrics_port}")
    with AppProcess(["bash", "-c", here]) as program:
        assert program.wait() == 0, program.output
        return program.stdout


def test_no_command_of_the_readme_is_without_a_test() -> None:
    # `pip` by test_installation, the file of variables by test_cli_doctor, the demos by test_shop(_full_stack).
    tested = ("otel-distro ", "curl ", "make ", "pip install ", "env $(cat service.env) ", "OTEL_SERVICE_NAME=shop ")
    assert [line for line in COMMANDS if not line.startswith(tested)] == []


def test_the_readme_starts_the_shop_by_one_command() -> None:
    assert len(SHOP) == 1
    assert "opentelemetry-instrument python examples/shop/app.py" in SHOP[0]


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_the_python_of_the_readme_runs(folder: Path, number: int) -> None:
    with AppProcess([sys.executable, "-c", PYTHON[number]], cwd=folder) as program:
        assert program.wait() == 0, program.output
        assert program.output.count("\n") <= 20


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("otel-distro ")])
def test_each_question_of_the_readme_is_answered(folder: Path, command: str) -> None:
    with AppProcess(shlex.split(command), cwd=folder) as program:
        assert program.wait() == 0, program.output
        if command.startswith("otel-distro logs") and "rate" not in command:
            assert "payment failed" in program.stdout


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"make (\w+)", README))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_every_variable_and_every_file_that_the_readme_names_exists() -> None:
    from otel_distro.variables import VARIABLES

    known = {variable.name for variable in VARIABLES}
    named = set(re.findall(r"\b(?:OTEL|PROMETHEUS)_[A-Z_]+[A-Z]\b", README))
    own = {name for name in named if name.startswith("OTEL_DISTRO_")}
    assert own <= known
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
