"""What an application asks for before uWSGI forks it, left to its workers.

uWSGI loads an application in its master and forks without Python's hooks: workers would share what was made there, and
each other's cells. `otel_distro.uwsgi` has the start of everything else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

from wrapt import register_post_import_hook

# What is not zero in a worker, a mule and a spooler, and is in the master.
_FORKED: Final = ("worker_id", "mule_id", "i_am_the_spooler")


def left_to_workers(call: Callable[[], object]) -> bool:
    """Have `call` called in each worker that uWSGI forks, after what waits there already; False where it has forked."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if not hasattr(uwsgi, "worker_id") or any(getattr(uwsgi, name, int)() for name in _FORKED):
        return False
    before: Any = getattr(uwsgi, "post_fork_hook", None)
    called: set[int] = set()

    def hook() -> None:
        if os.getpid() in called:  # by `uwsgidecorators`, whose hook may be the one before this
            return
        called.add(os.getpid())
        if before is not None:
            before()
        call()

    uwsgi.post_fork_hook = hook
    register_post_import_hook(lambda module: module.postfork_chain.insert(0, hook), "uwsgidecorators")
    return True
