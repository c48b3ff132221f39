"""What went wrong with Elasticsearch in one sentence that names the thing, its value and the mend, and no secret."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.client import responses
from typing import Any, Final
from urllib.parse import urlsplit

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_client import SIZE

_MEND_ADDRESS: Final = "start it or give another address"
_MEND_TLS: Final = "give its authority as ca_certs, or http:// where it has no certificate"
_TOO_LONG: Final = "{url} has not answered within {seconds:g} s; ask for fewer hours or look at the server's load"
_ERRNO: Final = re.compile(r"\[Errno -?\d+\] ([^()]+)")
_LONGEST: Final = 300  # characters of what the server says of itself


def sentence(error: Exception, address: Address, index: str) -> str:
    """Return what an error of the official client means to who asked `index` at `address`."""
    import elasticsearch as es

    url, name = address.url, who(address)
    known: tuple[tuple[type[Exception], Callable[[Any], str]], ...] = (
        (es.ConnectionTimeout, lambda _: _TOO_LONG.format(url=url, seconds=address.timeout)),
        (es.SSLError, lambda e: f"{url} cannot be spoken to by TLS ({_reason(e)}); {_MEND_TLS}"),
        (es.ConnectionError, lambda e: f"no Elasticsearch can be reached at {url} ({_reason(e)}); {_MEND_ADDRESS}"),
        (es.AuthenticationException, lambda _: f"{url} refuses {name}; give an api_key or basic_auth that is valid"),
        (es.AuthorizationException, lambda e: f"{name} may not do this with {index} at {url}: {_explained(e)}"),
        (es.NotFoundError, lambda e: _not_found(e, url, index)),
        (es.UnsupportedProductError, lambda _: f"what answers at {url} is no Elasticsearch; give another address"),
        (es.ApiError, lambda e: _refused(e, url, index)),
        (Exception, lambda e: f"what answers at {url} is no Elasticsearch ({_reason(e)}); give another address"),
    )
    return next(say(error) for kind, say in known if isinstance(error, kind))


def partial(answer: dict[str, Any], address: Address, index: str) -> str | None:
    """Return what an answer lacks, or None where it is whole."""
    shards = answer.get("_shards") or {}
    if answer.get("timed_out") or shards.get("failed"):
        of = f"{shards.get('failed', 0)} of {shards.get('total', 0)} shards of {index} failed"
        return f"{address.url} has answered in part ({of}); look at the cluster's health and ask again"
    return None


def _not_found(error: Any, url: str, index: str) -> str:
    kind = _detail(error).get("type")
    if kind == "index_not_found_exception":
        return (
            f"no index matches {index} at {url}; give another index, "
            "or send logs there after `otel-distro elasticsearch setup`"
        )
    if kind == "search_phase_execution_exception" or "search_context_missing" in str(error.body):
        return f"{url} has given up the question to {index} meanwhile; ask again and take the answers faster"
    return f"{url} does not know what is asked ({_explained(error)}); is it an Elasticsearch of version 8.12 or newer?"


def _refused(error: Any, url: str, index: str) -> str:
    status = error.meta.status
    if 300 <= status < 400:
        parts = urlsplit(error.meta.headers.get("location") or "")
        elsewhere = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "another path"
        return f"{url} sends on to {elsewhere} ({status}); give the address of an Elasticsearch itself"
    return f"{url} refuses what is asked of {index} ({status}): {_explained(error)}"


def who(address: Address) -> str:
    """Return by what credentials Elasticsearch is asked, without what is secret in them."""
    if address.api_key is not None:
        return "the api_key"
    if address.basic_auth is not None:
        return f"the name {address.basic_auth[0]!r} with its password"
    return "a question without credentials"


def _detail(error: Any) -> dict[str, Any]:
    body = error.body.get("error") if isinstance(error.body, dict) else None
    return body if isinstance(body, dict) else {}


def _explained(error: Any) -> str:
    """Return the server's own reason: of its first root cause, where there is one; else what its status means."""
    detail = _detail(error)
    causes = detail.get("root_cause") or [detail]
    said = causes[0].get("reason") or detail.get("reason") or _whole(error.body)
    return _short(str(said)) or responses.get(error.meta.status, "no reason given")


def _whole(body: Any) -> Any:
    """Return what there is of an answer that has no reason in its usual place."""
    if not isinstance(body, dict):
        return body or ""
    kept = {name: value for name, value in body.items() if name != SIZE}
    return kept.get("error") or kept or ""


def _reason(error: Exception) -> str:
    """Return what the system or the TLS library says, without what the layers above put around it."""
    inner: Any = error
    while getattr(inner, "errors", None):
        inner = inner.errors[0]
    text = str(getattr(inner, "message", None) or inner)
    errno = _ERRNO.search(text)
    return _short(errno[1] if errno else text)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
