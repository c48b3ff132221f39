"""A server that says it is an Elasticsearch and answers as none; tests/integration asks real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_distro import LogAnalyzer
from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_refused import DeadLetters
from otel_distro.analyzer.elastic_rights import check_rights
from otel_distro.analyzer.elastic_setup import install
from otel_distro.analyzer.elastic_template import templates
from otel_distro.errors import StoreError
from tests.stranger import answering


@pytest.mark.parametrize(
    "ask",
    [
        lambda place: list(install(Address.of(place), templates(replicas=0))),
        lambda place: check_rights(Address.of(place), "python-app"),
        lambda place: list(DeadLetters(Address.of(place), "python-app").send_kept()),
        lambda place: LogAnalyzer(place).search_errors(),
    ],
    ids=["setup", "check", "refused", "questions"],
)
def test_an_answer_without_what_was_asked_for_is_that_of_no_elasticsearch(ask: Callable[[str], Any]) -> None:
    with (
        answering(200, headers={"X-Elastic-Product": "Elasticsearch"}) as service,
        pytest.raises(StoreError, match=r"is no Elasticsearch; give another address$"),
    ):
        ask(service.place)
