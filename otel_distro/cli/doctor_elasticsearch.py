"""Whether the Elasticsearch that `otel-distro` asks answers, and has logs that can be asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from otel_distro.analyzer.elastic_session import Session
from otel_distro.cli.where import address_of
from otel_distro.doctor.model import FAULT, OK, WARNING, Finding, parted
from otel_distro.errors import OtelDistroError
from otel_distro.settings import Settings

NAME: Final = "elasticsearch"
LATE: Final = "look at OTEL_DISTRO_ELASTICSEARCH_URL, and at the server's load"
_SECONDS: Final = 3.0
_NO_INDEX: Final = 404
_REFUSED: Final = 401
_CREDENTIALS: Final = (
    "give valid ones by OTEL_DISTRO_ELASTICSEARCH_API_KEY, or by OTEL_DISTRO_ELASTICSEARCH_USERNAME and _PASSWORD"
)


def look(settings: Settings) -> list[Finding]:
    """Return what a question to the logs there would meet first; nothing is written."""
    try:
        address = address_of(settings.elasticsearch_url, settings, api_key=None, user=None, ca_certs=None)
        session = Session(replace(address, timeout=_SECONDS), f"{settings.elasticsearch_index_prefix}-*")
        try:
            number = session.check_mapping()
        finally:
            session.close()
    except OtelDistroError as error:
        status, (wrong, mend) = getattr(error.__cause__, "status_code", None), parted(str(error))
        if status == _REFUSED:
            mend = _CREDENTIALS
        # Before the first log there is no index.
        return [Finding(NAME, WARNING if status == _NO_INDEX else FAULT, wrong, mend)]
    found = f"{address.url} has {number} ind{'ex' if number == 1 else 'ices'} of {session.index} that can be asked"
    return [Finding(NAME, OK, found)]
