"""The status code and the size of what a view returned or raised.

Nothing here consumes a stream, imports a framework, or raises.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from otel_distro.metrics.rejected import reject, shown, usable, warn_once

_STATUS_PARTS: Final = (int, str, type(None))
# As HTTP spells a length, and as far as a body can have it.
_LENGTH: Final = "[0-9]{1,18}"


class Answer(NamedTuple):
    """What a request was answered: HTTP status code, and bytes of the body as far as they are known (0 otherwise)."""

    status: int
    size: int


def answer_of(result: object) -> Answer:
    """Return the answer that a returned value stands for.

    Taken are a mapping with `status_code` and `size`; the response objects of Flask, Starlette and Django; and what a
    Flask view may return: text, bytes, a mapping or list (sent as JSON), a tuple of body, status and headers. A body
    that is streamed, None or anything else has size 0; a status that is not told is 200.
    """
    try:
        return _answer_of(result)
    except Exception:  # noqa: BLE001 -- the application's own objects may raise anything when they are asked
        return Answer(200, 0)


def status_of_exception(error: BaseException) -> int:
    """Return the status that the exception is answered with: an HTTP exception's own, 500 for every other one."""
    try:
        for module in ("werkzeug.exceptions", "starlette.exceptions"):
            known = getattr(sys.modules.get(module), "HTTPException", None)
            if known is not None and isinstance(error, known):
                return _status_of_object(error, 500)
    except Exception:  # noqa: BLE001 -- the same
        return 500
    return 500


def _answer_of(result: object) -> Answer:
    if isinstance(result, tuple):
        return _answer_of_tuple(result)
    if isinstance(result, Mapping) and ("status_code" in result or "size" in result):
        return Answer(_status(result.get("status_code"), 200), _size(result.get("size")))
    if result is None or isinstance(result, (str, bytes, bytearray, memoryview, Mapping, list)):
        return Answer(200, _body_size(result))
    return Answer(_status_of_object(result, 200), _size_of_object(result))


def _answer_of_tuple(result: tuple[Any, ...]) -> Answer:
    body = result[0] if result else None
    answer = _answer_of(body)
    if len(result) > 1 and isinstance(result[1], _STATUS_PARTS):
        return answer._replace(status=_status(result[1], answer.status))
    return answer


def _body_size(body: str | bytes | bytearray | memoryview | Mapping[Any, Any] | list[Any] | None) -> int:
    if body is None:
        return 0
    if isinstance(body, str):
        return len(body) if body.isascii() else len(body.encode("utf-8", "surrogatepass"))
    if isinstance(body, memoryview):
        return body.nbytes
    if isinstance(body, (bytes, bytearray)):
        return len(body)
    # Within a request Flask's own provider tells what is sent, whatever the application has set.
    flask: Any = sys.modules.get("flask")
    if flask is not None and flask.has_request_context():
        return _size_of_object(flask.current_app.json.response(body))
    return len(json.dumps(body, separators=(",", ":"), default=str))


def _status_of_object(result: Any, default: int) -> int:
    response: Any = getattr(result, "response", None)
    if isinstance(result, BaseException) and hasattr(response, "status_code"):
        return _status(response.status_code, default)
    status = getattr(result, "status_code", None)
    if status is None and isinstance(result, BaseException):
        status = getattr(result, "code", None)
    return _status(status, default)


def _size_of_object(result: Any) -> int:
    # Werkzeug would read a stream to its end to answer calculate_content_length, so streams are told apart before.
    if getattr(result, "is_sequence", False):
        return _size(result.calculate_content_length())
    for value in (getattr(result, "content_length", None), _header(result, "content-length")):
        if value is not None and re.fullmatch(_LENGTH, str(value)):
            return int(value)
    # `body` is Starlette's, `content` Django's; its streaming responses have none. `size` is anyone's.
    for name in ("body", "size") if getattr(result, "streaming", True) else ("content",):
        value = getattr(result, name, None)
        if isinstance(value, (bytes, memoryview)):
            return len(value)
        if isinstance(value, int):
            return _size(value)
    return 0


def _header(result: Any, name: str) -> str | None:
    headers: Any = getattr(result, "headers", None)
    return headers.get(name) if hasattr(headers, "get") else None


def _size(value: object) -> int:
    size = 0 if value is None else usable(value)
    if size is None:
        reject("http_response_size_bytes", value)
        return 0
    return int(size)


def _status(value: Any, default: int) -> int:
    if value is None:
        return default
    text = value.split(" ", 1)[0] if isinstance(value, str) else str(int(value)) if isinstance(value, int) else ""
    if len(text) == 3 and text.isascii() and text.isdigit() and text[0] != "0":
        return int(text)
    warn_once(
        "http_requests_total",
        "status",
        f"monitor_request cannot take {shown(value)} as a status code and counts the request as {default};"
        " return a whole number from 100 to 999",
    )
    return default
