"""The text of label sets: escaped once, and no more of them held than pages have need of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otel_distro.metrics.label_texts import LabelTexts

_NAMES = st.from_regex(r"\A[a-z]{1,5}\Z")
_VALUES = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_a_parser_reads_back_the_labels(labels: dict[str, str]) -> None:
    text = LabelTexts().text(tuple(labels.items()))
    (family,) = parse_text(f"up{{{text}}} 1\n")
    assert family.samples[0].labels == labels


def test_half_of_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert LabelTexts().text((("user", "a\ud800b"),)) == 'user="a?b"'


def test_a_text_is_made_once() -> None:
    texts = LabelTexts()
    labels = (("endpoint", "/api"),)
    assert texts.text(labels) is texts.text(labels)
    assert len(texts) == 1


def test_pages_of_fewer_series_give_back_what_pages_of_many_had() -> None:
    texts = LabelTexts()
    for number in range(50_000):
        texts.text((("user", str(number)),))
    texts.bound(50_000)
    assert len(texts) == 50_000
    texts.bound(20_000)
    assert len(texts) == 50_000
    texts.bound(10)
    assert len(texts) == 0
