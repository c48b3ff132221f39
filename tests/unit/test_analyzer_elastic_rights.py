"""A server that is no Elasticsearch; tests/integration asks real ones, with and without security."""

from __future__ import annotations

import pytest

from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elastic_rights import check_rights
from otel_distro.errors import StoreError
from tests.stranger import answering


def test_a_web_service_is_not_taken_for_an_elasticsearch_without_security() -> None:
    with (
        answering(404, b'{"detail":"Not Found"}') as service,
        pytest.raises(StoreError, match="is it an Elasticsearch"),
    ):
        check_rights(Address.of(service.place), "python-app")
