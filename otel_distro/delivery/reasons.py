"""What went wrong with a request, in a few words and without what must not be told."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

_SHORTEST: Final = 6  # characters of a secret; a shorter text, as a number, may be a part of any words
_NO_URL: Final = frozenset(("InvalidSchema", "InvalidURL", "MissingSchema"))  # of requests
# By it OpenTelemetry's start has gevent patch before anything is loaded.
_GEVENT_FIRST: Final = "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH"
# Headers whose values are no secrets.
_OPEN: Final = ("content-type", "content-encoding", "user-agent")


class Reasons:
    """Puts what went wrong with one exporter's requests into words, without its headers and its endpoint's password."""

    def __init__(self, exporter: Any) -> None:
        self._secrets = _secrets_of(exporter)

    def of(self, error: BaseException | None) -> str:
        """Return the system's own words for an error, or the error's, and whether it is a proxy's; never long."""
        words = _words_of(error)
        proxied = any(type(each).__name__ == "ProxyError" for each in _chain(error))
        return self.short(f"by the proxy: {words}" if proxied else words)

    def short(self, text: str) -> str:
        """Return a text in one line that is not long, and with `?` for what a terminal would obey."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        words = " ".join(text.split())
        if not words.isprintable():
            words = "".join(letter if letter.isprintable() else "?" for letter in words)
        return words if len(words) <= 200 else words[:197] + "..."


def _words_of(error: BaseException | None) -> str:
    for each in _chain(error):
        if isinstance(each, (TimeoutError, socket.timeout)) or "Timeout" in type(each).__name__:
            return "no answer in time"
        if isinstance(each, RecursionError) and "gevent.monkey" in sys.modules:
            return f"gevent has come after ssl: set {_GEVENT_FIRST}=patch_all"
        if getattr(each, "reason", "") == "NO_CERTIFICATE_OR_CRL_FOUND":  # of ssl
            return "the file of authorities (OTEL_EXPORTER_OTLP_CERTIFICATE) holds no certificate in PEM"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
        if type(each) is OSError:  # a tunnel that a proxy refuses
            return str(each)
    return f"{type(error).__name__}: {error}" if error is not None else "no answer"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        inner = error.args[0] if error.args else None  # of urllib3's own error of TLS, which was never raised
        error = error.__cause__ or error.__context__ or (inner if isinstance(inner, BaseException) else None)


def _secrets_of(exporter: Any) -> list[str]:
    """Return what must not be told: the values of headers, and what an endpoint has beside host, port and path."""
    client: Any = getattr(exporter, "_client", None)
    headers: Any = getattr(exporter, "_headers", None) or getattr(client, "_headers", None)
    values: list[str] = []
    with suppress(TypeError, ValueError):  # of another make
        values += (str(value) for name, value in dict(headers).items() if name.lower() not in _OPEN)
    endpoint = _parts(getattr(exporter, "_endpoint", ""))
    values += (endpoint.netloc.rpartition("@")[0], endpoint.query)
    # Errors show a text as Python writes it, too. The longest first: one may be a part of another.
    forms = {form for value in values if len(value) >= _SHORTEST for form in (value, repr(value)[1:-1])}
    return sorted(forms, key=len, reverse=True)


def unusable(error: ValueError) -> str:
    """Return what is to be said of an endpoint, header or proxy that no request can be made of.

    The error's own words repeat the URL or the header, and what is secret in it.
    """
    name = type(error).__name__
    if "SOCKS" in str(error):
        return "the proxy of the environment (ALL_PROXY, HTTPS_PROXY, HTTP_PROXY) is of SOCKS: install requests[socks]"
    if name == "InvalidProxyURL":
        return "the proxy of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) is no URL"
    if name in _NO_URL:
        return "the endpoint is no URL; give one as in http://localhost:4318 (OTEL_EXPORTER_OTLP_ENDPOINT)"
    return (
        f"{name}: the endpoint or a header cannot be used; "
        "look at OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS"
    )


def elsewhere(result: Any) -> str:
    """Return where a redirection leads, as words that follow the status; none where it does not say."""
    try:
        parts = urlsplit(result.headers().get("Location") or "")
    except Exception:  # noqa: BLE001 -- a server may answer anything
        return ""
    return f" to {parts.scheme}://{_place(parts.netloc)}: give that as the endpoint" if parts.netloc else ""


def is_page(result: Any) -> bool:
    """Say whether an answer is a page of HTML, as of a web server that has one for each path."""
    try:
        kind = result.headers().get("Content-Type") or ""
    except Exception:  # noqa: BLE001 -- a server may answer anything
        return False
    return str(kind).lower().startswith("text/html")


def place_of(endpoint: Any) -> str:
    """Return host and port of an endpoint alone."""
    return _place(_parts(endpoint).netloc)


def _place(netloc: str) -> str:
    place = netloc.rpartition("@")[2]
    host, colon, port = place.rpartition(":")
    # A port that is none is the beginning of a password with a slash in it.
    return host if colon and not port.isdecimal() and "]" not in port else place


def _parts(endpoint: Any) -> SplitResult:
    text = endpoint if isinstance(endpoint, str) else ""
    try:
        return urlsplit(text if "//" in text else f"//{text}")
    except ValueError:  # no URL at all, which whoever sends to it says
        return SplitResult("", text.partition("//")[2].partition("/")[0], "", "", "")
