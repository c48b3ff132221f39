"""Text from outside on a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.cli.plain_text import fitted, plain, safe_json, width

ANY_TEXT = st.text(st.characters() | st.sampled_from("\x1b\x9b\x07[]m;0\\用é\u0301\u202e\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;cGFzdGU=\x1b\\text", "text"),
        ("\x1b]0;never ended", "0;never ended"),
        ("\x1bcreset", "reset"),
        ("\x9b31mred", "31mred"),
        ("a\r\nb\tc\x0bd", "a b c d"),
        ("bell\x07 back\x08 del\x7f nul\0", "bell back del nul"),
        ("exe\u202etxt.\u2066x", "exetxt.x"),
        ("lone \ud800 half", "lone  half"),
        ("用户 café 😀", "用户 café 😀"),
        ("private\ue000 unassigned\u0378 lines\u2028of\u2029text", "private unassigned lines of text"),
        ("two  spaces", "two spaces"),
        (" \x07at the ends\x07 ", "at the ends"),
        ("plain", "plain"),
        ("", ""),
        ("\x1b", ""),
    ],
)
def test_only_what_can_be_seen_is_left(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(ANY_TEXT)
def test_no_text_can_steer_the_terminal(text: str) -> None:
    shown = plain(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert "\n" not in shown


@given(ANY_TEXT, st.integers(1, 40))
def test_a_fitted_text_has_exactly_the_columns_asked_for(text: str, columns: int) -> None:
    assert width(fitted(plain(text), columns)) == columns


def test_a_text_is_cut_with_a_mark_and_never_through_a_wide_character() -> None:
    assert fitted("abcdef", 4) == "abc…"
    assert fitted("用户登录", 6) == "用户… "
    assert fitted("abc", 5) == "abc  "
    assert fitted("abc", 3) == "abc"
    assert width("\uff21\uff22") == 4
    assert width("用户a") == 5
    assert width("e\u0301") == 1


@given(st.recursive(st.none() | ANY_TEXT, lambda inner: st.dictionaries(ANY_TEXT, inner, max_size=3)))
def test_safe_json_says_the_same_without_a_character_that_steers(document: object) -> None:
    text = safe_json(json.dumps(document, ensure_ascii=False))
    assert json.loads(text) == document
    assert not {unicodedata.category(character) for character in text} & {"Cc", "Zl", "Zp"}
    assert "\u202e" not in text
