"""The request hook of Starlette and of FastAPI, which is built on it: every application of the process.

Neither says in all of its releases which route it has taken, so the routes tell it where they are called: below the
mounted applications around them, by the path they were declared with.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import wraps
from typing import Any, Final

from opentelemetry.trace import get_tracer_provider
from starlette import routing

from otel_distro.tracing import DormantTracerProvider
from otel_distro.web.asgi import EXCHANGE_KEY, AsgiExchange, AsgiHook, Receive, Scope, Send, serving
from otel_distro.web.exchange import warn_of
from otel_distro.web.replaced import Replaced
from otel_distro.web.requests import UNMATCHED, request_metrics

_replaced: Final = Replaced()
# The hook, and whether FastAPI's own metrics are recorded.
_chosen: Final[list[Any]] = []
_REDIRECTS: Final = (307, 308)


def install(http_metrics: str = "classic") -> None:
    """Serve every Starlette and FastAPI application of this process through the hook; a second call replaces the first.

    It sees applications made before and after, whatever runs them, the test client too. `http_metrics` is `classic` for
    the four classic metrics, `semconv` for those that newer FastAPI releases record by themselves, or `both`.
    """
    uninstall()
    follow(http_metrics)


def follow(http_metrics: str) -> None:
    """Put the hook into those of `PARTS` that have been imported since the last call."""
    if not _chosen:
        metrics = None if http_metrics == "semconv" else request_metrics()
        _chosen.extend((AsgiHook(route_of, metrics), http_metrics != "classic"))
    for name, (what, part) in PARTS.items():
        module = sys.modules.get(name)
        # Not one whose import is under way.
        if hasattr(module, what):
            part(module)


def _serve(module: Any) -> None:
    hook: AsgiHook = _chosen[0]
    # The contrib instrumentation puts a subclass in its place.
    served = next(owner for owner in module.Starlette.__mro__ if "__call__" in vars(owner))
    _replaced.put(served, "__call__", lambda call: serving(call, hook))
    _replaced.put(routing.Mount, "handle", lambda handle: _telling(handle, _mounted))
    _replaced.put(routing.Route, "handle", lambda handle: _telling(handle, _matched))


def _follow_included(module: Any) -> None:
    # From release 0.137 on, a route of a router that was included is called with another path than its own.
    if "handle" in vars(module.APIRoute):
        _replaced.put(module.APIRoute, "handle", lambda handle: _telling(handle, _included))


def _choose_own(module: Any) -> None:
    """Have FastAPI's applications not do by themselves what is done here, unless they are told to.

    Newer releases send an error that nobody handles to the logger provider, past `logging`, by which it
    comes as well; and make spans of each dependency and endpoint, which would only cost where none is exported.
    """

    def choosing(init: Callable[..., None]) -> Callable[..., None]:
        @wraps(init)
        def choose(self: Any, *args: Any, **options: Any) -> None:
            init(self, *args, **options)
            chosen, own = options.get("telemetry") or {}, getattr(self, "_telemetry", None)
            if isinstance(own, dict):
                own.update({key: False for key in _unasked() if key in own and key not in chosen})

        return choose

    _replaced.put(module.FastAPI, "__init__", choosing)


def _unasked() -> Iterator[str]:
    yield "logs"
    if not _chosen[1]:
        yield "metrics"
    provider = get_tracer_provider()
    if isinstance(provider, DormantTracerProvider) and not provider.awake:
        yield "operation_spans"


def _mark_environ(owner: Any) -> None:
    """Have a WSGI application that is mounted in an ASGI application not count the request a second time.

    `owner` is the module or the class that has `build_environ`.
    """
    scope_at = 1 if isinstance(owner, type) else 0

    def marking(build: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def build_environ(*args: Any) -> dict[str, Any]:
            environ = build(*args)
            if EXCHANGE_KEY in args[scope_at]:
                environ[EXCHANGE_KEY] = True
            return environ

        return build_environ

    _replaced.put(owner, "build_environ", marking)


def uninstall() -> None:
    """Give Starlette and FastAPI the methods back that they had before `install`."""
    _chosen.clear()
    _replaced.give_back()


def _telling(
    handle: Callable[[Any, Scope, Receive, Send], Awaitable[None]], tell: Callable[[Any, Scope, AsgiExchange], None]
) -> Callable[[Any, Scope, Receive, Send], Awaitable[None]]:
    def told(self: Any, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = scope.get(EXCHANGE_KEY)
        if type(exchange) is AsgiExchange:
            try:
                tell(self, scope, exchange)
            except Exception as error:  # noqa: BLE001 -- a class of the application's own may be otherwise made
                warn_of(error)
        return handle(self, scope, receive, send)

    return told


def _mounted(mount: Any, scope: Scope, exchange: AsgiExchange) -> None:
    exchange.prefix += mount.path
    exchange.place = _told(scope)
    # What has no routes, such as a folder of files, is one endpoint; what is inside of it may know better.
    exchange.known = None if mount.routes else exchange.prefix or "/"


def _matched(route: Any, _: Scope, exchange: AsgiExchange) -> None:
    exchange.known = exchange.prefix + route.path_format


def _included(route: Any, scope: Scope, exchange: AsgiExchange) -> None:
    around = scope.get("fastapi")
    effective: Any = around.get("effective_route_context") if isinstance(around, dict) else None
    if getattr(effective, "original_route", None) is route:
        exchange.known = exchange.prefix + effective.path_format


def route_of(exchange: AsgiExchange) -> str | None:
    """Return the template of a route that has not told it itself, or None where no route was matched.

    A path that differs by its last slash alone (307) belongs to the route that the client is sent to.
    """
    scope = exchange.scope
    if exchange.status in _REDIRECTS and "router" in scope:
        path, root = scope["path"], scope.get("app_root_path", scope.get("root_path", ""))
        nearby = {**scope, "root_path": root, "path": path.rstrip("/") if path.endswith("/") else f"{path}/"}
        found = _first_match(getattr(scope["router"], "routes", ()), nearby, "")
        if found is not None:
            return found
    told = _told(scope)
    return None if told == exchange.place else told


def _told(scope: Scope) -> str | None:
    """Return what FastAPI tells its own spans; of a mounted application in which it finds no route, its place alone."""
    told = getattr(scope.get("fastapi.telemetry"), "route", None)
    return told if isinstance(told, str) else None


def _first_match(routes: Iterable[Any], scope: Scope, prefix: str) -> str | None:
    for route in routes:
        match, within = route.matches(scope)
        if match is not routing.Match.NONE:
            # FastAPI's included routers, from release 0.137 on.
            below = getattr(route, "effective_route_contexts", None)
            if below is not None:
                return _first_match(below(), scope, prefix)
            if isinstance(route, routing.Mount):
                place = prefix + route.path
                if not route.routes:
                    return place or "/"
                return _first_match(route.routes, {**scope, **within}, place) or UNMATCHED
            path: str | None = getattr(route, "path_format", None)
            return None if path is None else prefix + path
    return None


# By the name of the module: what stands in it at the end of its import, and what is done to it then.
PARTS: Final[dict[str, tuple[str, Callable[[Any], None]]]] = {
    "starlette.applications": ("Starlette", _serve),
    "starlette.middleware.wsgi": ("build_environ", _mark_environ),
    "a2wsgi.wsgi": ("build_environ", _mark_environ),
    "asgiref.wsgi": ("WsgiToAsgiInstance", lambda module: _mark_environ(module.WsgiToAsgiInstance)),
    "fastapi.routing": ("APIRoute", _follow_included),
    "fastapi.applications": ("FastAPI", _choose_own),
}
