"""Text from outside made fit for a terminal: one line, no control of the terminal, a known width."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# ECMA-48: control sequences (colours, cursor), strings up to their end (titles, clipboard), and two-character escapes.
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_SPACES: Final = re.compile(r"\s+")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})  # controls, direction marks, what no font has
_WIDE: Final = frozenset({"W", "F"})
# Every one of these can only stand inside a text of JSON, where its escape means the same.
_JSON_UNSAFE: Final = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def plain(text: str) -> str:
    """Return the text on one line, without escape sequences and invisible characters; white space becomes one space."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text
    shown = _SPACES.sub(" ", _ESCAPES.sub("", text))
    return "".join(character for character in shown if unicodedata.category(character) not in _UNSEEN).strip()


def width(text: str) -> int:
    """Return how many columns a terminal gives to a plain text: two for East Asian wide ones, none for accents."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def fitted(text: str, columns: int) -> str:
    """Return the text in exactly so many columns, filled with spaces or cut with `…`."""
    missing = columns - width(text)
    if missing >= 0:
        return text + " " * missing
    kept, room = [], columns - 1
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept.append(character)
    cut = "".join(kept) + "…"
    return cut + " " * (columns - width(cut))


def safe_json(text: str) -> str:
    """Return JSON text with the characters escaped that could steer a terminal and that JSON leaves as they are."""
    return _JSON_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
