"""What spans and semantic-convention metrics say of a request, read from the WSGI environment in one pass.

The names, the order and the rules are the contrib WSGI instrumentation's, which a test compares with this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias
from wsgiref.util import request_uri

from opentelemetry.instrumentation.wsgi import get_default_span_name
from opentelemetry.util.http import detect_synthetic_user_agent, normalize_user_agent, redact_url, sanitize_method

Attributes: TypeAlias = dict[str, Any]
AttributesOf: TypeAlias = Callable[[dict[str, Any]], Attributes]

# Those that the contrib instrumentation passes on; any other is `_OTHER` unless a variable lets all of them pass.
STANDARD_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
)
_FLAVORS: Final = {"HTTP/1.1": "1.1", "HTTP/1.0": "1.0", "HTTP/2": "2", "HTTP/2.0": "2.0"}

# What the metrics take of these, by the older conventions and by the stable ones.
ACTIVE_OLD: Final = frozenset(("http.method", "http.host", "http.scheme", "http.flavor", "http.server_name"))
ACTIVE_NEW: Final = frozenset(("http.request.method", "url.scheme"))
DURATION_OLD: Final = frozenset((*ACTIVE_OLD, "http.status_code", "net.host.name", "net.host.port"))
DURATION_NEW: Final = frozenset(
    (
        "error.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.protocol.version",
        "url.scheme",
    )
)


def conventions(mode: Any) -> tuple[bool, bool]:
    """Return whether the older and whether the stable conventions are asked for by a mode of the contrib package."""
    value = getattr(mode, "value", "default")
    return value not in ("http", "database"), value != "default"


def attributes_reader(*, old: bool, new: bool) -> AttributesOf:  # noqa: C901 -- the function in it
    """Return what reads a request's attributes by the older conventions, the stable ones, or both.

    What it returns belongs to the caller. It raises ValueError for a server port that is no number.
    """
    methods = _names(old, new, "http.method", "http.request.method")
    schemes = _names(old, new, "http.scheme", "url.scheme")
    hosts = (*_names(old, new, "net.host.name", "server.address"), *_names(old, False, "http.host"))
    ports = _names(old, new, "net.host.port", "server.port")
    clients = _names(old, new, "net.peer.ip", "client.address")
    client_ports = _names(old, new, "net.peer.port", "client.port")
    client_names = _names(old, new, "net.peer.name", "client.address")
    agents = _names(old, new, "http.user_agent", "user_agent.original")
    flavors = _names(old, new, "http.flavor", "network.protocol.version")

    def attributes_of(environ: dict[str, Any]) -> Attributes:  # noqa: C901, PLR0912 -- a call costs more than a branch
        found: Attributes = {}
        get = environ.get
        method = get("REQUEST_METHOD", "")
        if method not in STANDARD_METHODS:
            method = _other_method(found, method, new)
        if method:
            for name in methods:
                found[name] = method
        if old:
            found["http.server_name"] = get("SERVER_NAME")
        scheme = get("wsgi.url_scheme")
        if scheme:
            for name in schemes:
                found[name] = scheme
        host = get("HTTP_HOST")
        if host:
            for name in hosts:
                found[name] = host
        port = get("SERVER_PORT")
        if port:
            number = int(port)
            if number:
                for name in ports:
                    found[name] = number
        _set_target(found, environ, old, new)
        address = get("REMOTE_ADDR")
        if address:
            for name in clients:
                found[name] = address
        port = get("REMOTE_PORT")
        if port:
            _set_number(found, client_ports, port)
        host = get("REMOTE_HOST")
        if host and host != address:
            for name in client_names:
                found[name] = host
        agent = get("HTTP_USER_AGENT")
        if agent:
            _set_agent(found, agents, agent)
        flavor = get("SERVER_PROTOCOL", "")
        flavor = _FLAVORS[flavor] if flavor in _FLAVORS else _flavor(flavor)
        if flavor:
            for name in flavors:
                found[name] = flavor
        return found

    return attributes_of


def span_name(environ: dict[str, Any], rule: Any) -> str:
    """Return the name of the span of a request that this rule of Flask's has matched, or None did."""
    method = environ.get("REQUEST_METHOD", "")
    if rule is None:
        name: str = get_default_span_name(environ)
        return name
    if method not in STANDARD_METHODS:
        method = sanitize_method(method.strip())
        if method == "_OTHER":
            method = "HTTP"
    return f"{method} {rule.rule}"


def _names(old: bool, new: bool, old_name: str, new_name: str = "") -> tuple[str, ...]:
    return (*((old_name,) if old else ()), *((new_name,) if new else ()))


def _other_method(found: Attributes, method: str, new: bool) -> str:
    """Return the method that stands for one outside of the standard; the stable conventions keep the original."""
    normal = sanitize_method(method).strip()
    original = method.strip()
    if new and original and original != normal:
        found["http.request.method_original"] = original
    return normal


def _set_target(found: Attributes, environ: dict[str, Any], old: bool, new: bool) -> None:
    target = environ.get("RAW_URI")
    if target is None:
        target = environ.get("REQUEST_URI")
    if not target:
        if old:
            found["http.url"] = redact_url(request_uri(environ))
        return
    if old:
        found["http.target"] = target
    if new:
        path, query = environ.get("PATH_INFO"), environ.get("QUERY_STRING")
        if path:
            found["url.path"] = path
        if query:
            found["url.query"] = query


def _set_number(found: Attributes, names: tuple[str, ...], text: Any) -> None:
    try:
        number = int(text)
    except (ValueError, TypeError):
        return
    for name in names:
        found[name] = number


def _set_agent(found: Attributes, names: tuple[str, ...], agent: Any) -> None:
    text, synthetic = _agent(agent)
    if text:
        for name in names:
            found[name] = text
        if synthetic:
            found["user_agent.synthetic.type"] = synthetic


@lru_cache(maxsize=256)
def _agent(agent: Any) -> tuple[str | None, str | None]:
    text = normalize_user_agent(agent)
    return text, detect_synthetic_user_agent(text)


def _flavor(protocol: str) -> str:
    return protocol[5:] if protocol.upper().startswith("HTTP/") else protocol
