"""An Elasticsearch that cannot be asked; tests/integration/test_cli_elasticsearch.py asks a real one."""

from __future__ import annotations

import pytest

from otel_distro.cli import doctor_elasticsearch
from otel_distro.settings import Settings
from tests.stranger import answering
from tests.support import free_port

URL = "OTEL_DISTRO_ELASTICSEARCH_URL"


@pytest.mark.parametrize(
    ("environment", "found", "mend"),
    [
        ({URL: "htps://es"}, "htps:// in its address is neither", "give host:port or such a URL"),
        (
            {URL: f"u:hidden@localhost:{free_port()}"},
            "no Elasticsearch can be reached at http://localhost:",
            "start it",
        ),
        (
            {
                URL: "es",
                "OTEL_DISTRO_ELASTICSEARCH_API_KEY": "hidden",
                "OTEL_DISTRO_ELASTICSEARCH_USERNAME": "ann",
            },
            "api_key and basic_auth are both given",
            "leave one of them out",
        ),
    ],
    ids=["scheme", "nobody", "both"],
)
def test_one_that_cannot_be_asked_is_a_fault_without_anything_secret(
    environment: dict[str, str], found: str, mend: str
) -> None:
    (fault,) = doctor_elasticsearch.look(Settings.from_environ(environment))
    assert (fault.status, found in fault.found, mend in fault.mend) == ("fault", True, True)
    assert "hidden" not in str(fault)


def test_credentials_that_are_refused_lead_to_the_variables_that_give_them() -> None:
    with answering(401, headers={"X-Elastic-Product": "Elasticsearch"}) as server:
        (fault,) = doctor_elasticsearch.look(Settings.from_environ({URL: server.place}))
    refused = f"http://{server.place} refuses a question without credentials"
    assert (fault.status, fault.found) == ("fault", refused)
    assert fault.mend.startswith("give valid ones by OTEL_DISTRO_ELASTICSEARCH_API_KEY, or by ")
