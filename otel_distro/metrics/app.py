"""The metrics page as an application of its own, for platforms that give a service one port."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias, overload

from opentelemetry.metrics import get_meter_provider

from otel_distro.errors import InputError
from otel_distro.metrics.access import Access
from otel_distro.metrics.by_hand import left_to_workers
from otel_distro.metrics.prometheus import EOF, OPENMETRICS, chosen_format
from otel_distro.metrics.server import page_service
from otel_distro.settings import Settings

Environ: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Answer: TypeAlias = tuple[int, list[tuple[str, str]], bytes]

_logger = logging.getLogger(__name__)
# Below the path that it is mounted on there are as many as a client likes to ask for.
_MOST_PATHS: Final = 4
_REASONS = {200: "200 OK", 401: "401 Unauthorized", 405: "405 Method Not Allowed", 503: "503 Service Unavailable"}


class MetricsApp:
    """The page of this process and its group as a WSGI and as an ASGI application, by how it is called.

    It answers GET and HEAD at whatever path it is mounted on, with the same rules for passwords and tokens as the
    page's own port. Thread-safe; in an ASGI server the page is made in a thread.
    """

    def __init__(self) -> None:
        settings = Settings.current()
        self._access: Access | None = None
        self._paths: set[str] = set()
        try:
            self._access = Access.from_settings(settings)
        except InputError as error:
            _logger.warning("the metrics page of this application stays shut: %s", error)
        self._settings = settings
        if not settings.disabled and not left_to_workers(self._attach):
            self._attach()

    def _attach(self) -> None:
        if not page_service.attach(self._settings, self._settings.prometheus_port):
            _logger.warning(
                "the metrics page of this application lacks its metrics: the meter provider of this process is %s, "
                "which no page can read; call metrics_app before it is set",
                type(get_meter_provider()).__qualname__,
            )

    @overload
    def __call__(self, scope: Environ, receive: Callable[..., Any], /) -> Iterable[bytes]: ...

    @overload
    def __call__(self, scope: Environ, receive: Receive, send: Send, /) -> Awaitable[None]: ...

    def __call__(self, scope: Environ, receive: Any, send: Send | None = None, /) -> Any:
        """Answer a request: environment and start_response, or scope, receive and send."""
        return self._wsgi(scope, receive) if send is None else self._asgi(scope, receive, send)

    def _wsgi(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._tell_route(environ)
        method = environ.get("REQUEST_METHOD", "")
        status, headers, body = self._answer(
            method, environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_AUTHORIZATION", "")
        )
        start_response(_REASONS[status], headers)
        return [] if method == "HEAD" else [body]

    def _tell_route(self, environ: Environ) -> None:
        """Name the path to the hook that counts the request, as one that no route matches where there are too many."""
        mounted, below = environ.get("SCRIPT_NAME") or "", environ.get("PATH_INFO") or ""
        path = mounted + below or "/"
        if below.strip("/") and path not in self._paths:
            if len(self._paths) >= _MOST_PATHS:
                return
            self._paths.add(path)
        environ["otel_distro.route"] = path

    async def _asgi(self, scope: Environ, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        import asyncio

        def given(name: bytes) -> str:
            # Several headers of a name are one (RFC 9110, section 5.3).
            return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name)

        status, headers, body = await asyncio.to_thread(
            self._answer, scope["method"], given(b"accept"), given(b"authorization")
        )
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, method: str, accept: str, authorization: str) -> _Answer:
        if method not in ("GET", "HEAD"):
            return _text(405, "The metrics page is read by GET.\n", ("Allow", "GET, HEAD"))
        if self._access is None:
            return _text(503, "The metrics page is shut: what protects it cannot be read.\n")
        if not self._access.allows(authorization):
            challenges = [("WWW-Authenticate", challenge) for challenge in self._access.challenges]
            return _text(401, "The metrics page asks for credentials.\n", *challenges)
        content_type = chosen_format(accept)
        if self._settings.disabled:
            body = EOF if content_type == OPENMETRICS else b""
        else:
            body = page_service.reader(self._settings).page(content_type)
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        return 200, headers, body


def _text(status: int, text: str, *headers: tuple[str, str]) -> _Answer:
    body = text.encode()
    plain = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    return status, [*plain, *headers], body


def metrics_app() -> MetricsApp:
    """Return the metrics page as an application to mount in a WSGI or ASGI application, as at `/metrics`.

    Passwords and tokens protect it as they do the page's own port; TLS is the affair of the server that it is mounted
    in. Where a file that protects it cannot be used, there is one warning and the page answers 503. A meter provider
    that no page can read, as it is not the SDK's, is one warning too. With OTEL_SDK_DISABLED=true the page is empty.
    """
    return MetricsApp()
