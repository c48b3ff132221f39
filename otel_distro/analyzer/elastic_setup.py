"""Elasticsearch made ready for log documents."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_session import Session
from otel_distro.errors import StoreError

INSTALLED: Final = "installed"
UPDATED: Final = "updated"
UNCHANGED: Final = "is already as it should be"


def install(address: Address, templates: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Install index templates and yield the name of each and what was done; a second time changes nothing.

    An index that exists keeps the mapping that it has; the templates are for those made from now on. It needs the
    cluster privilege `manage_index_templates`.

    Raises:
        StoreError: the server cannot be reached or refuses; what was yielded before is done. Or all is done, and a
            template of somebody else's takes the place of one.
    """
    for name, template in templates.items():
        session = Session(address, name)
        try:
            yield name, _install(session, name, template)
        finally:
            session.close()
    session = Session(address, "*")
    try:
        others = session.ask_for("index_templates", lambda client: client.indices.get_index_template())
    finally:
        session.close()
    for name, template in templates.items():
        if stronger := _stronger(template, others):
            raise StoreError(
                f"index template {name} is installed at {address.url}, but {stronger} takes its place: "
                f"give that one a priority below {template['priority']}, or patterns of its own"
            )


def _install(session: Session, name: str, template: dict[str, Any]) -> str:
    before = _installed(session, name)
    session.ask(lambda client: client.indices.put_index_template(name=name, **template))
    if before is None:
        return INSTALLED
    return UNCHANGED if _installed(session, name) == before else UPDATED


def _stronger(template: dict[str, Any], others: list[dict[str, Any]]) -> str | None:
    """Return which template a new index has in the place of this one, or None: the highest priority alone counts."""
    index = template["index_patterns"][0].replace("*", "2026.11.24")
    for other in others:
        priority, patterns = other["index_template"].get("priority", 0), other["index_template"]["index_patterns"]
        if priority > template["priority"] and any(fnmatchcase(index, pattern) for pattern in patterns):
            return f"{other['name']} with its priority {priority}"
    return None


def _installed(session: Session, name: str) -> Any:
    """Return the template as the server writes it, or None where it has none of that name."""
    answer = session.ask(lambda client: client.options(ignore_status=404).indices.get_index_template(name=name))
    return next((found["index_template"] for found in answer.get("index_templates", ())), None)
