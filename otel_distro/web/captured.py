"""The request and response headers that spans carry where variables ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from opentelemetry.util.http import (
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS,
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST,
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE,
    SanitizeValue,
    get_custom_headers,
    normalise_request_header_name,
    normalise_response_header_name,
)

Captured: TypeAlias = dict[str, list[str]]
_PREFIX: Final = "HTTP_"


def request_headers() -> Callable[[dict[str, Any]], Captured] | None:
    """Return what takes the wanted headers from a WSGI environment, or None where none are; reads the variables now.

    A header that the sanitising list names is there with `[REDACTED]` for its value.
    """
    wanted = get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST)
    if not wanted:
        return None
    values = _sanitizer().sanitize_header_values

    def captured(environ: dict[str, Any]) -> Captured:
        headers = {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith(_PREFIX)}
        return values(headers, wanted, normalise_request_header_name)

    return captured


def response_headers() -> Callable[[Iterable[tuple[str, str]]], Captured] | None:
    """Return what takes the wanted headers of a response, or None where none are; reads the variables now."""
    wanted = get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE)
    if not wanted:
        return None
    values = _sanitizer().sanitize_header_values

    def captured(sent: Iterable[tuple[str, str]]) -> Captured:
        headers: dict[str, str] = {}
        for name, value in sent or ():
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        return values(headers, wanted, normalise_response_header_name)

    return captured


def _sanitizer() -> SanitizeValue:
    return SanitizeValue(get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS))
