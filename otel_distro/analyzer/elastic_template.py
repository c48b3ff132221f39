"""The index templates of log documents in Elasticsearch: nothing an application logs is refused or makes a field."""

from __future__ import annotations

from typing import Any, Final

from otel_distro.errors import InputError

PREFIX: Final = "python-app"
REJECTED: Final = "rejected-"
"""What stands before the prefix for records that could not be stored; outside of `python-app-*`, so that no question
counts them."""

KEYWORD_FIELDS: Final = (
    "level",
    "logger",
    "module",
    "function",
    "request_id",
    "user_id",
    "trace_id",
    "span_id",
    "service",
    "environment",
    "error_type",
    "log_id",
    "tags",
)
_TEXT_FIELDS: Final = ("message", "exc_info", "error_message")
# A term of Lucene has at most 32,766 bytes, a character at most four: a longer text is kept and not searchable.
_KEYWORD: Final = {"type": "keyword", "ignore_above": 8191}
# Nanoseconds, because milliseconds would lose the order of records; what is no such time is kept and counts as skipped.
_TIME: Final = {"type": "date_nanos", "format": "strict_date_optional_time_nanos", "ignore_malformed": True}
_PRIORITY: Final = 500


def log_template(prefix: str = PREFIX, *, replicas: int | None = None, shards: int = 1) -> dict[str, Any]:
    """Return the template of `<prefix>-*`: our own fields are searchable, extras are kept as they are and not indexed.

    `replicas` None is one where there is a second node, else none. A component template `<prefix>@custom` adds fields
    of the user's own where there is one. Objects below the root stay objects: with `subobjects: false` a single
    document that is nested some 900 deep ends the server.
    """
    properties: dict[str, Any] = {"@timestamp": _TIME}
    properties.update(dict.fromkeys(KEYWORD_FIELDS, _KEYWORD))
    properties.update({field: {"type": "text"} for field in _TEXT_FIELDS})
    properties["line"] = {"type": "integer", "ignore_malformed": True}
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": _PRIORITY,
        "composed_of": [f"{prefix}@custom"],
        "ignore_missing_component_templates": [f"{prefix}@custom"],
        "template": _template(properties, replicas, shards),
        "_meta": {"description": "Log documents of otel-distro", "managed_by": "otel-distro"},
    }


def rejected_template(prefix: str = PREFIX, *, replicas: int | None = None, shards: int = 1) -> dict[str, Any]:
    """Return the template of `rejected-<prefix>-*`: the time and the reason are searchable, the record is only kept."""
    properties = {"@timestamp": _TIME, "reason": _KEYWORD}
    return {
        "index_patterns": [f"{REJECTED}{prefix}-*"],
        "priority": _PRIORITY + 1,
        "template": _template(properties, replicas, shards),
        "_meta": {"description": "Records that Elasticsearch refused", "managed_by": "otel-distro"},
    }


def templates(prefix: str = PREFIX, *, replicas: int | None = None, shards: int = 1) -> dict[str, dict[str, Any]]:
    """Return every template by its name.

    Raises:
        InputError: a prefix that no index may have, fewer than no replicas, no shard.
    """
    check_prefix(prefix)
    if replicas is not None and replicas < 0:
        raise InputError(f"replicas={replicas} is no number of copies; give a whole number from 0")
    if not 1 <= shards <= 1024:
        raise InputError(f"shards={shards} is no number of shards; give a whole number from 1 to 1024")
    return {
        prefix: log_template(prefix, replicas=replicas, shards=shards),
        f"{REJECTED}{prefix}": rejected_template(prefix, replicas=replicas, shards=shards),
    }


def check_prefix(prefix: str) -> None:
    """Raise InputError for a prefix that no index may have."""
    usable = prefix.isprintable() and prefix == prefix.lower() and not set(prefix) & set('\\/*?"<>| ,#:')
    if not prefix or not usable or prefix[0] in "-_+.":
        raise InputError(f"index prefix {prefix!r} cannot name an index; use small letters, digits, - and _")


def _template(properties: dict[str, Any], replicas: int | None, shards: int) -> dict[str, Any]:
    copies = {"auto_expand_replicas": "0-1"} if replicas is None else {"number_of_replicas": replicas}
    return {
        "settings": {"index": {"number_of_shards": shards, **copies}},
        "mappings": {"dynamic": False, "date_detection": False, "properties": properties},
    }
