"""Elasticsearch made ready for log documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_session import Session

INSTALLED: Final = "installed"
UPDATED: Final = "updated"
UNCHANGED: Final = "is already as it should be"


def install(address: Address, templates: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Install index templates and yield the name of each and what was done; a second time changes nothing.

    An index that exists keeps the mapping that it has; the templates are for those made from now on. It needs the
    cluster privilege `manage_index_templates`.

    Raises:
        StoreError: the server cannot be reached or refuses; what was yielded before is done.
    """
    for name, template in templates.items():
        session = Session(address, name)
        try:
            yield name, _install(session, name, template)
        finally:
            session.close()


def _install(session: Session, name: str, template: dict[str, Any]) -> str:
    before = _installed(session, name)
    session.ask(lambda client: client.indices.put_index_template(name=name, **template))
    if before is None:
        return INSTALLED
    return UNCHANGED if _installed(session, name) == before else UPDATED


def _installed(session: Session, name: str) -> Any:
    """Return the template as the server writes it, or None where it has none of that name."""
    answer = session.ask(lambda client: client.options(ignore_status=404).indices.get_index_template(name=name))
    return next((found["index_template"] for found in answer.get("index_templates", ())), None)
