"""The start within uWSGI; `tests/integration/test_servers_uwsgi.py` has the real one."""

from __future__ import annotations

import sys

from otel_distro.uwsgi import start_in_workers


def test_outside_of_uwsgi_nothing_is_deferred_and_no_module_is_made() -> None:
    assert start_in_workers(lambda: None) is False
    assert "uwsgi" not in sys.modules
