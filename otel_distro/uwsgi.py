"""uWSGI: a start that waits for the worker, as uWSGI forks without telling Python.

uWSGI loads Python in its master and forks without `os.register_at_fork`'s functions, and without holding Python's lock:
a thread in the master would leave the worker hanging now and then, and what was made for the master alone (files,
locks, threads) would be taken for the worker's own. So nothing is started in the master. Each process that runs Python
code calls the `post_fork_hook` of uWSGI's own module `uwsgi` after the fork.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from wrapt import register_post_import_hook

from otel_distro.metrics.group import join
from otel_distro.settings import Settings

_started_in: Final[set[int]] = set()


def start_in_workers(start: Callable[[], None]) -> bool:
    """Have `start` called once in each worker, mule and spooler when uWSGI has forked it; False outside of uWSGI.

    To be called while Python starts, before the application is loaded. What the application registers by
    `uwsgidecorators.postfork` is called as well; one that sets `uwsgi.post_fork_hook` by itself must call the hook that
    it finds there. A process that has been forked already, as one that calls this late, starts at once.
    """
    if not _embedded():
        return False
    # uWSGI fills the module when Python stands, and takes the one that it finds.
    uwsgi: Any = sys.modules.setdefault("uwsgi", ModuleType("uwsgi"))
    if getattr(uwsgi, "worker_id", int)():
        return False
    before: Any = getattr(uwsgi, "post_fork_hook", None)

    def hook() -> None:
        _start_once(start)
        if before is not None:
            before()

    uwsgi.post_fork_hook = hook
    register_post_import_hook(lambda module: module.postfork_chain.insert(0, hook), "uwsgidecorators")
    return True


def hold_group(settings: Settings) -> str:
    """Let the group of the workers live as long as the master, which measures nothing; return its folder, or "".

    Without it the counts would go when all workers happen to end at the same time.
    """
    master = os.getpid()
    group = join(settings, settings.prometheus_host, settings.prometheus_port)
    if group is None or not group.ours:
        return ""

    def leave() -> None:
        if os.getpid() == master:  # else a worker ends, which has inherited this function
            group.new_file().close()
            group.leave()

    atexit.register(leave)
    return str(group.folder)


def _embedded() -> bool:
    if "uwsgi" in sys.builtin_module_names:  # from Python 3.12 on
        return True
    try:
        program = os.readlink("/proc/self/exe")
    except OSError:
        program = sys.executable or ""
    return os.path.basename(program).startswith("uwsgi")


def _start_once(start: Callable[[], None]) -> None:
    # The set is inherited: a worker that is forked from a started process, as in the "emperor" modes, starts again.
    process = os.getpid()
    if process not in _started_in:
        _started_in.add(process)
        start()
