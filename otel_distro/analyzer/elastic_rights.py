"""Whether credentials are enough for a Collector that sends logs to an Elasticsearch."""

from __future__ import annotations

from typing import Final

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_errors import who
from otel_distro.analyzer.elastic_session import Session
from otel_distro.errors import StoreError

_CREATE_DOCUMENTS: Final = "create_doc"
_CREATE_INDICES: Final = ("auto_configure", "create_index")  # either


def check_rights(address: Address, prefix: str) -> str:
    """Return in a sentence that the Collector may send to `<prefix>-*` with these credentials.

    Raises:
        StoreError: it may not, and which right is missing; or the server cannot be asked.
    """
    pattern = f"{prefix}-*"
    session = Session(address, pattern)
    try:
        if not _secured(session):
            session.ask_for("cluster_name", lambda client: client.cluster.health())  # another server has none either
            return f"takes logs into {pattern} from everybody: its security is off"
        wanted = {"names": [pattern], "privileges": [_CREATE_DOCUMENTS, *_CREATE_INDICES]}
        has = session.ask_for("index", lambda client: client.security.has_privileges(index=[wanted]))[pattern]
    finally:
        session.close()
    missing = [] if has[_CREATE_DOCUMENTS] else [_CREATE_DOCUMENTS]
    if not any(has[right] for right in _CREATE_INDICES):
        missing.append(_CREATE_INDICES[0])
    if missing:
        lacking = " and ".join(missing)
        raise StoreError(f"{who(address)} may not send logs to {address.url}: give it {lacking} on {pattern}")
    return f"takes logs into {pattern} with {who(address)}"


def _secured(session: Session) -> bool:
    """Whether the server asks for credentials at all."""
    answer = session.ask(lambda client: client.options(ignore_status=(400, 404, 405)).security.authenticate())
    return "username" in answer
