"""`otel-distro elasticsearch`: prepares an Elasticsearch for logs, and finds what it does not take."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import Final

import click

from otel_distro.analyzer.elastic_address import DEFAULT_HOST, Address
from otel_distro.analyzer.elastic_refused import DeadLetters
from otel_distro.analyzer.elastic_rights import check_rights
from otel_distro.analyzer.elastic_setup import install
from otel_distro.analyzer.elastic_template import REJECTED, check_prefix, templates
from otel_distro.analyzer.taken import records
from otel_distro.cli import folder
from otel_distro.cli.where import address_of, credentials
from otel_distro.errors import InputError
from otel_distro.settings import Settings

_url: Final = click.option(
    "--url", metavar="URL", help=f"host:port or URL. [default: OTEL_DISTRO_ELASTICSEARCH_URL, else {DEFAULT_HOST}]"
)
_index_prefix: Final = click.option(
    "--index-prefix",
    metavar="NAME",
    help="Beginning of the names of the indices. [default: OTEL_DISTRO_ELASTICSEARCH_INDEX_PREFIX, else python-app]",
)


@click.group(no_args_is_help=False)
def elasticsearch() -> None:
    """Prepare an Elasticsearch for logs; find rights and records it lacks."""


@elasticsearch.command()
@_url
@_index_prefix
@click.option(
    "--replicas",
    type=int,
    metavar="N",
    help="Copies of each shard. [default: OTEL_DISTRO_ELASTICSEARCH_REPLICAS, else 1 as soon as there are two nodes]",
)
@click.option(
    "--shards", type=int, metavar="N", help="Shards of an index. [default: OTEL_DISTRO_ELASTICSEARCH_SHARDS, else 1]"
)
@credentials
def setup(  # noqa: PLR0913, PLR0917 -- one argument for each option
    url: str | None,
    index_prefix: str | None,
    replicas: int | None,
    shards: int | None,
    api_key: str | None,
    user: str | None,
    ca_certs: str | None,
) -> None:
    """Install the index templates of the logs.

    Doing it again changes nothing. Indices that exist stay as they are: the templates are for those made from now on.
    """
    settings = Settings.current()
    _refuse_bad(settings, OTEL_DISTRO_ELASTICSEARCH_REPLICAS=replicas, OTEL_DISTRO_ELASTICSEARCH_SHARDS=shards)
    address = _address(url, settings, api_key, user, ca_certs)
    wanted = templates(
        _prefix(index_prefix, settings),
        replicas=settings.elasticsearch_replicas if replicas is None else replicas,
        shards=settings.elasticsearch_shards if shards is None else shards,
    )
    for name, done in install(address, wanted):
        print(f"{address.url}: index template {name} {done}")


@elasticsearch.command()
@_url
@_index_prefix
@credentials
def check(
    url: str | None, index_prefix: str | None, api_key: str | None, user: str | None, ca_certs: str | None
) -> None:
    """Say whether these credentials are enough for a Collector.

    If not, it says which right is missing. Nothing is written.
    """
    settings = Settings.current()
    address = _address(url, settings, api_key, user, ca_certs)
    print(f"{address.url}: {check_rights(address, _prefix(index_prefix, settings))}")


@elasticsearch.command()
@click.option(
    "--taken",
    metavar="DIR",
    default="storage/taken",
    show_default=True,
    callback=folder.named,
    help="The folder `taken` in the Collector's STORAGE_DIR.",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    default=24,
    show_default=True,
    help="Only records that the Collector took in the last so many hours.",
)
@click.option(
    "--create-indices",
    is_flag=True,
    help="Also records whose index is not there: it could not be made when they came. One that was removed comes back.",
)
@_url
@_index_prefix
@credentials
def refused(  # noqa: PLR0913, PLR0917 -- one argument for each option
    taken: Path,
    hours: float,
    create_indices: bool,
    url: str | None,
    index_prefix: str | None,
    api_key: str | None,
    user: str | None,
    ca_certs: str | None,
) -> None:
    """Send again what is not stored; show and keep what is refused.

    A line of JSON for each record that Elasticsearch refuses: its index, id, reason and the record. It is kept in
    rejected-<prefix>-*, and sent again from there the next time, until it is stored.
    """
    settings = Settings.current()
    prefix = _prefix(index_prefix, settings)
    address = _address(url, settings, api_key, user, ca_certs)
    letters = DeadLetters(address, prefix, create_indices=create_indices)
    stored = left = 0
    try:
        for letter in chain(letters.send_kept(), letters.send_missing(records(taken, hours))):
            stored, left = stored + (not letter.refused), left + letter.refused
            if letter.refused:
                print(letter.line())
    finally:
        letters.close()
    sys.stdout.flush()
    for word in letters.left_alone:
        print(f"otel-distro: {word}", file=sys.stderr)
    print(f"otel-distro: {stored} stored now; {left} refused, kept in {REJECTED}{prefix}-*", file=sys.stderr)


def _refuse_bad(settings: Settings, **options: int | None) -> None:
    """Raise InputError for a variable that cannot be used, where no option takes its place."""
    for problem in settings.problems:
        name = problem.partition("=")[0]
        if name in options and options[name] is None:
            raise InputError(problem.rpartition("; ")[0])


def _address(
    url: str | None, settings: Settings, api_key: str | None, user: str | None, ca_certs: str | None
) -> Address:
    at = settings.elasticsearch_url or DEFAULT_HOST if url is None else url
    return address_of(at, settings, api_key, user, ca_certs)


def _prefix(given: str | None, settings: Settings) -> str:
    prefix = settings.elasticsearch_index_prefix if given is None else given
    check_prefix(prefix)
    return prefix
