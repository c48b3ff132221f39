"""The request hook of Django: every WSGI and ASGI handler of the process.

Its test client calls neither, so what tests ask is not counted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from django import urls
from django.core.handlers.base import BaseHandler

from otel_distro.context import current_request
from otel_distro.web.asgi import EXCHANGE_KEY, AsgiExchange, AsgiHook
from otel_distro.web.asgi import serving as serving_asgi
from otel_distro.web.exchange import Exchange, Hook, warn_of
from otel_distro.web.replaced import Replaced
from otel_distro.web.requests import RequestMetrics, request_metrics
from otel_distro.web.wsgi import serving

# Django answers whatever comes, unless the client goes before; that is no error of the service. As nginx has it.
CLIENT_GONE: Final = 499
_replaced: Final = Replaced()


def install(http_metrics: str = "classic") -> None:
    """Serve every handler of Django of this process through the hook; a second call replaces the first.

    `http_metrics` is `classic` or `both` for the four classic metrics, `semconv` for none of them.
    """
    uninstall()
    follow(http_metrics)


def follow(http_metrics: str) -> None:
    """Put the hook into those handlers that have been imported since the last call."""
    metrics = None if http_metrics == "semconv" else request_metrics()
    _replaced.put(BaseHandler, "resolve_request", _telling)
    common = getattr(sys.modules.get("django.middleware.common"), "CommonMiddleware", None)
    if hasattr(common, "get_full_path_with_slash"):
        _replaced.put(common, "get_full_path_with_slash", _appending)
    for server, handler, served in (("wsgi", "WSGIHandler", _wsgi), ("asgi", "ASGIHandler", _asgi)):
        found = getattr(sys.modules.get(f"django.core.handlers.{server}"), handler, None)
        if found is not None:
            _replaced.put(found, "__call__", served(metrics))


def before_middleware(act: Callable[[], object]) -> None:
    """Do something once, right before a handler reads for the first time which middleware the settings name."""
    pending = iter((act,))

    def first(load: Callable[..., Any]) -> Callable[..., Any]:
        def load_middleware(self: Any, *args: Any, **kwargs: Any) -> Any:
            for what in pending:
                what()
            return load(self, *args, **kwargs)

        return load_middleware

    _replaced.put(BaseHandler, "load_middleware", first)


def uninstall() -> None:
    """Give Django the methods back that it had before `install`."""
    _replaced.give_back()


def _wsgi(metrics: RequestMetrics | None) -> Callable[[Any], Any]:
    return lambda call: serving(call, Hook(lambda _: None, metrics))


def _asgi(metrics: RequestMetrics | None) -> Callable[[Any], Any]:
    return lambda call: serving_asgi(call, AsgiHook(lambda _: None, metrics, CLIENT_GONE))


def _telling(resolve: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Have the request under way told its route, which is known from here on."""

    def resolve_request(self: Any, request: Any) -> Any:
        match = resolve(self, request)
        _tell(request, match)
        return match

    return resolve_request


def _appending(full_path: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Have the request under way told the route that its client is sent to, as only a slash keeps it from there."""

    def get_full_path_with_slash(self: Any, request: Any) -> Any:
        path = full_path(self, request)
        try:
            match = urls.resolve(f"{request.path_info}/", getattr(request, "urlconf", None))
        except urls.Resolver404:  # a middleware of the application's own sends its clients elsewhere
            return path
        _tell(request, match)
        return path

    return get_full_path_with_slash


def _tell(request: Any, match: Any) -> None:
    current = current_request.get()
    # Not by what a view asks of Django by itself, with its test client, for which no server called.
    came = EXCHANGE_KEY in getattr(request, "scope", request.META)
    if came and (type(current) is Exchange or type(current) is AsgiExchange):
        try:
            current.known = _prefix(current) + template_of(match.route)
        except Exception as error:  # noqa: BLE001 -- a resolver of the application's own may give anything
            warn_of(error)


def _prefix(current: Exchange | AsgiExchange) -> str:
    return current.prefix if isinstance(current, AsgiExchange) else ""


def template_of(route: str) -> str:
    """Return Django's route as a path: `/` before it, and without the anchors of regular expressions."""
    return "/" + route.replace("^", "").removesuffix("$")
