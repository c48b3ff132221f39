"""Log lines and records that no sane application sends, and some application sends all the same."""

from __future__ import annotations

import json
from typing import Any, Final

MOMENT: Final = "2026-11-24T09:00:00.123456Z"
# The fields of the log document that are texts; an application may put anything there.
OWN: Final = (
    "message",
    "level",
    "logger",
    "module",
    "function",
    "line",
    "request_id",
    "user_id",
    "trace_id",
    "span_id",
    "service",
    "environment",
    "exc_info",
    "error_type",
    "error_message",
    "tags",
)


def nested(depth: int, leaf: Any = 1) -> Any:
    """Return an object so many levels deep."""
    for _ in range(depth):
        leaf = {"a": leaf}
    return leaf


def objects() -> dict[str, dict[str, Any]]:
    """Return fields by what is wrong with them; each can be a line of JSON and an OTLP record."""
    return {
        "5,000 fields": {f"field_{number}": number for number in range(5_000)},
        "depth 200": {"deep": nested(200)},
        "a number": {"changes": 1},
        "the same field as text": {"changes": "one"},
        "the same field as object": {"changes": {"a": 1}},
        "the same field as list": {"changes": [{"a": 1}, "b", 3, None]},
        "an object where a number was": {"changes": {"a": {"b": "c"}}},
        "@timestamp as text": {"@timestamp": "yesterday"},
        "@timestamp as object": {"@timestamp": {"a": 1}},
        "metadata names": dict.fromkeys(("_id", "_index", "_source", "_routing", "_version", "_seq_no"), "x"),
        "more metadata": dict.fromkeys(("_doc_count", "_field_names", "_ignored", "_tier", "_type", "_size"), 7),
        "an empty key": {"": "x"},
        "keys of white space": {" ": 1, "\t": 2, "\n": 3, "\u00a0": 4, "\u3000": 5, "\u2028": 6},
        "keys of dots": {".": 1, "..": 2, "...": 3, ".a": 4, "a.": 5, "a..b": 6, " . ": 7, "a. .b": 8},
        "keys of many dots": {"a..b..c..d..e": 1, ". . . . .": 2, "level.a.b.c.d": 3, "a..b\n..c": 4},
        "keys that end in white space": {"a. ": 1, "a.b. ": 2, " .a": 3},
        "keys inside of our fields": {f"{name}.foo": "x" for name in OWN},
        "keys inside of @timestamp": {"@timestamp.z": 1, "timestamp.z": 2},
        "a key and one inside of it": {"q": 1, "q.b": 2, "q.b.c": 3},
        "odd keys inside of an object": {"x": {"": 1, "_id": 2, "a..b": 3, ".": 4}},
        # One for each line: where there are several, the first decides which way the line goes.
        **{f"a key of {mark!a}": {mark: 1} for mark in " \t\u00a0\u3000\u2028\u2029\u0000"},
        **{f"a key that begins with {mark!a}": {f"{mark}a": 1} for mark in " \t\u3000\u2028\u2029\u0000"},
        "keys with control characters": {"a\u0000b": 1, "\u0001": 2, "a\u007fb": 3, '"': 4, "\\": 5, "*?,": 6},
        "a key of 1 MB": {"k" * 1_000_000: 1},
        "a key of 1 MB with dots": {"k." * 500_000: 1},
        "NUL in a text": {"message": "a\u0000b", "user_id": "\u0000"},
        "control characters": {"message": "".join(map(chr, range(32)))},
        "a long user": {"user_id": "u" * 40_000},
        "year 9999": {"timestamp": "9999-12-31T23:59:59.999999Z"},
        "year 0": {"timestamp": "0000-01-01T00:00:00.000000Z"},
        "a leap second": {"timestamp": "2026-12-31T23:59:60.000000Z"},
        "a timestamp as object": {"timestamp": {"a": [1]}},
        "a timestamp as list": {"timestamp": [MOMENT]},
        "the largest integers": {"big": 2**63 - 1, "small": -(2**63)},
        "100,000 tags": {"tags": [f"tag {number}" for number in range(100_000)]},
        "tags as text": {"tags": "one", "user_id": "u", "level": "ERROR"},
        "tags as object": {"tags": {"a": 1}, "user_id": "u", "level": "ERROR"},
        "tags with objects": {"tags": [{"a": 1}, ["b"]], "user_id": "u", "level": "ERROR"},
        "tags null": {"tags": None, "user_id": "u", "level": "ERROR"},
        "objects in all our fields": {name: {"a": {"b": 1}} for name in OWN},
        "lists of objects in all our fields": {name: [{"a": 1}] for name in OWN},
        "lists in all our fields": {name: [1, "x", None] for name in OWN},
        "numbers in all our fields": dict.fromkeys(OWN, 12.5),
        "null in all our fields": dict.fromkeys(OWN),
        "ids that are none": {"trace_id": "z" * 32, "span_id": "0"},
        "a level of its own": {"level": "LOUD"},
        "names that the exporter reads": {"elasticsearch.index": "x", "elasticsearch.document_id": "x"},
        "an empty object in each field": {name: {} for name in OWN},
    }


def log_ids() -> dict[str, Any]:
    """Return values of `log_id` that are hard to make an id of, by what they are."""
    return {
        "log_id as number": 12,
        "log_id as object": {"a": 1},
        "log_id as list": ["a", 1],
        "log_id empty": "",
        "log_id null": None,
        "log_id of 600 bytes": "i" * 600,
        "log_id with a slash": "../_doc/x?y=z",
        "log_id with control characters": "a\u0000b\nc",
        "log_id of few characters and many bytes": "\U0001f600" * 200,
    }


def lines() -> dict[str, bytes]:
    """Return lines by what is wrong with them that cannot be an object of Python; each becomes one document.

    Those that begin like a line of the package are there with spaces, too, as most other programs write them.
    """
    own, spaced = (
        _begun(f'{{"timestamp":{space}"{MOMENT}",{space}"level":{space}"INFO",'.encode()) for space in ("", " ")
    )
    return {**own, **{f"{name}, with spaces": text for name, text in spaced.items()}, **_others()}


def behind() -> dict[str, bytes]:
    """Return what may stand behind the fields of an object, from its end on, by what it is."""
    return {
        "a brace": b"} }",
        "a field": b'}, "lost": 1}',
        "a word": b"}, lost}",
        "a list": b"} [1]",
        "an object": b'} {"lost": 1}',
        "a word before a brace": b"} lost}",
        "braces": b"}}}",
    }


def _begun(begin: bytes) -> dict[str, bytes]:
    return {
        "depth 1,500": begin
        + b'"deep":'
        + json.dumps(nested(900)).encode().replace(b"1", b"[" * 600 + b"]" * 600)
        + b"}",
        "depth 100,000": begin + b'"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "brackets in a text": begin + b'"message":"' + b"{[" * 5_000 + b'"}',
        "duplicate keys": begin + b'"a":1,"a":2,"message":"x","message":"y"}',
        "a huge integer": begin + b'"n":' + b"9" * 900 + b"}",
        "a larger integer than 64 bits": begin + b'"n":18446744073709551616}',
        "a huge exponent": begin + b'"n":1e400}',
        "NaN": begin + b'"n":NaN}',
        "Infinity": begin + b'"n":-Infinity}',
        "invalid UTF-8 in a text": begin + b'"message":"a\xff\xfe\xc3("}',
        "invalid UTF-8 in a key": begin + b'"k\xff":1}',
        "a surrogate": begin + b'"message":"\\ud800 \\udfff","\\ud800":1}',
        "half an object": begin + b'"message":"no end',
        "two objects": begin + b'"a":1}' + begin + b'"b":2}',
        "an object in a list": b"[" + begin + b'"a":1}]',
        "an object and white space": begin + b'"a":1}  \t ',
        "a byte order mark": b"\xef\xbb\xbf" + begin + b'"a":1}',
        "a key inside of ours, a space before its colon": begin + b'"level.foo" : 1}',
        "a dot by escape in a key": begin + b'"level\\u002efoo":1}',
        "an underscore by escape in a key": begin + b'"\\u005fid":1}',
        "a dot and a quote in a key": begin + b'"level.\\"":1}',
        "a dot, then a quote within a key": begin + b'"level.a\\"b":1}',
        "a carriage return": begin + b'"message":"x"}\r',
    }


def _others() -> dict[str, bytes]:
    return {
        "binary": bytes(byte for byte in range(256) if byte != 10),
        "NUL bytes": b"\x00" * 1_000,
        "braces": b"}" * 10_000,
        "an empty object": b"{}",
        "a template": b"{{ .Values.x }} ${env:HOME} $$ %s %(x)s",
        "HTML": b"<script>alert(1)</script>",
        "a bulk action": b'{"delete":{"_index":"python-app-2026.11.24","_id":"x"}}',
    }
