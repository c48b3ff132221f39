"""Django under the prefix command, by each kind of server: page and lines, over real sockets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.served import DJANGO, DJANGO_ASGI, Served
from tests.support import request


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_the_page_has_every_request_of_all_workers_and_lines_have_its_ids(
    served: Served, kind: str, tmp_path: Path
) -> None:
    command = {
        "wsgi": ("gunicorn", "-w", "2", "-b", f"127.0.0.1:{served.port}", DJANGO),
        "asgi": ("uvicorn", "--workers", "2", "--port", str(served.port), DJANGO_ASGI),
    }[kind]
    log = tmp_path / "app.log"
    with served.started(*command, env={"OTEL_DISTRO_LOG_FILE": str(log)}) as app:
        served.processes(2)
        served.check_exact(app, served.drive(300))
        base = served.url.removesuffix("/work")
        assert request(f"{base}/api/orders/7/", headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
        assert request(f"{base}/fail", headers={"X-Request-ID": "mine-2"}).status == 500
        # The client goes where it is sent for want of a slash.
        assert request(f"{base}/api/orders/8").status == 200
        served.page.wait_for("http_requests_total", 2, endpoint="/api/orders/<int:number>/", status="200")
        served.page.wait_for("http_requests_total", 1, endpoint="/api/orders/<int:number>/", status="301")
        served.page.wait_for("http_requests_total", 1, endpoint="/fail", status="500")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (order,) = [line for line in lines if line["message"] == "order 7"]
    assert (order["request_id"], order["user_id"]) == ("mine-1", "ann")
    assert {line.get("request_id") for line in lines if line["level"] == "ERROR"} == {"mine-2"}


def test_an_instrumentation_of_django_is_in_force_and_leaves_it_the_settings_that_the_application_names(
    served: Served, tmp_path: Path
) -> None:
    info = tmp_path / "spans_of_django-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spans-of-django\nVersion: 1.0\n")
    instrumentor = "django = tests.data.apps.django_instrumentor:Instrumentor"
    (info / "entry_points.txt").write_text(f"[opentelemetry_instrumentor]\n{instrumentor}\n")
    with served.started("gunicorn", "-b", f"127.0.0.1:{served.port}", DJANGO, env={"PYTHONPATH": str(tmp_path)}):
        assert request(served.url).headers["x-instrumented"] == "yes"


def test_requests_are_let_alone_where_django_is_disabled(served: Served) -> None:
    env = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "django"}
    with served.started("gunicorn", "-b", f"127.0.0.1:{served.port}", DJANGO, env=env):
        served.page.wait_for("work_total", served.probed)
        assert served.page.total("http_requests_total") == 0
        assert "x-request-id" not in request(served.url).headers
