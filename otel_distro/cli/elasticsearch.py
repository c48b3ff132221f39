"""`otel-distro elasticsearch`: makes an Elasticsearch ready for logs."""

from __future__ import annotations

import click

from otel_distro.analyzer.elastic_address import DEFAULT_HOST
from otel_distro.analyzer.elastic_setup import install
from otel_distro.analyzer.elastic_template import templates
from otel_distro.cli.where import address_of, credentials
from otel_distro.settings import Settings


@click.group(no_args_is_help=False)
def elasticsearch() -> None:
    """Make an Elasticsearch ready for logs."""


@elasticsearch.command()
@click.option(
    "--url", metavar="URL", help=f"host:port or URL. [default: OTEL_DISTRO_ELASTICSEARCH_URL, else {DEFAULT_HOST}]"
)
@click.option(
    "--index-prefix",
    metavar="NAME",
    help="Beginning of the names of the indices. [default: OTEL_DISTRO_ELASTICSEARCH_INDEX_PREFIX, else python-app]",
)
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
    """Install the index templates of the logs; doing it again changes nothing.

    Indices that exist stay as they are: the templates are for those made from now on.
    """
    settings = Settings.current()
    address = address_of(url or settings.elasticsearch_url or DEFAULT_HOST, settings, api_key, user, ca_certs)
    wanted = templates(
        settings.elasticsearch_index_prefix if index_prefix is None else index_prefix,
        replicas=settings.elasticsearch_replicas if replicas is None else replicas,
        shards=settings.elasticsearch_shards if shards is None else shards,
    )
    for name, done in install(address, wanted):
        print(f"{address.url}: index template {name} {done}")
