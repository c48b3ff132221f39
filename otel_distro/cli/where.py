"""Which logs a command is about: the options that say it, over the variables that stand for them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeVar

import click

from otel_distro.analyzer.address import is_local
from otel_distro.analyzer.analyzer import LogAnalyzer
from otel_distro.analyzer.elastic_address import Address
from otel_distro.analyzer.elasticsearch import ElasticsearchStore
from otel_distro.errors import InputError
from otel_distro.settings import Settings

_Function = TypeVar("_Function", bound=Callable[..., Any])

_DEFAULT_FILES: Final = "logs/*.log"
_CREDENTIALS: Final = ("api_key", "user", "ca_certs")


@dataclass(frozen=True)
class Where:
    """The logs of a command: files, or an Elasticsearch."""

    files: str
    address: Address | None
    index: str

    def analyzer(self) -> LogAnalyzer:
        """Return the analyzer of these logs; what is wrong with them shows at the first question."""
        if self.address is None:
            return LogAnalyzer(self.files)
        return LogAnalyzer(store=ElasticsearchStore(self.address, self.index))

    def tell_skipped(self, number: int) -> None:
        """Say on standard error how many lines or documents the answer is without."""
        if not number:
            return
        sys.stdout.flush()
        one, why = ("line", "not one JSON object with a timestamp")
        if self.address is not None:
            one, why = ("document", "no @timestamp that can be read")
        what = f"1 {one} was" if number == 1 else f"{number:,} {one}s were"
        print(f"otel-distro: {what} skipped: {why}", file=sys.stderr)


def credentials(function: _Function) -> _Function:
    """Give a command the options `api_key`, `user` and `ca_certs`."""
    options = (
        click.option(
            "--api-key", metavar="KEY", help="API key of Elasticsearch. [default: OTEL_DISTRO_ELASTICSEARCH_API_KEY]"
        ),
        click.option(
            "--user",
            metavar="NAME[:PASSWORD]",
            help="User of Elasticsearch; the password is better in OTEL_DISTRO_ELASTICSEARCH_PASSWORD. "
            "[default: OTEL_DISTRO_ELASTICSEARCH_USERNAME]",
        ),
        click.option(
            "--ca-certs",
            metavar="PATH",
            help="PEM file with its certificate authority. [default: OTEL_DISTRO_ELASTICSEARCH_CA_CERTS]",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def which_logs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which logs; it gets them as `where`."""

    @wraps(function)
    def with_where(*, logs_at: str | None, es: str | None, index: str | None, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _CREDENTIALS}
        return function(where=_where(logs_at, es, index, given), **options)

    command = credentials(with_where)
    command = click.option(
        "--index",
        metavar="PATTERN",
        help="Indices of Elasticsearch. [default: OTEL_DISTRO_ELASTICSEARCH_INDEX_PREFIX and -*, else python-app-*]",
    )(command)
    command = click.option(
        "--es",
        metavar="URL",
        help="Ask an Elasticsearch, given as host:port or URL. "
        "[default: OTEL_DISTRO_ELASTICSEARCH_URL, where neither --logs nor OTEL_DISTRO_LOG_FILE names files]",
    )(command)
    return click.option(
        "-l",
        "--logs",
        "logs_at",
        metavar="PATH",
        help="Path or glob of log files, rotated and gzipped ones included; in quotes if it is a glob. "
        "[default: OTEL_DISTRO_LOG_FILE, else logs/*.log]",
    )(command)


def address_of(es: str, settings: Settings, api_key: str | None, user: str | None, ca_certs: str | None) -> Address:
    """Return the address of an Elasticsearch; an option takes the place of every variable that says the same.

    Raises:
        InputError: it or the credentials cannot be used.
    """
    if api_key is None and user is None:
        api_key, user = settings.elasticsearch_api_key or None, settings.elasticsearch_username or None
    basic_auth = None
    if user is not None:
        name, colon, password = user.partition(":")
        basic_auth = name, password if colon else settings.elasticsearch_password
    authority = ca_certs if ca_certs is not None else settings.elasticsearch_ca_certs or None
    return Address.of(es, api_key=api_key, basic_auth=basic_auth, ca_certs=authority)


def _where(logs_at: str | None, es: str | None, index: str | None, given: dict[str, Any]) -> Where:
    settings = Settings.current()
    if logs_at is not None and es is not None:
        raise InputError("--logs and --es name two places; leave one of them out")
    if logs_at is None and es is None and not settings.log_file:
        es = settings.elasticsearch_url or None
    if logs_at is not None and not is_local(logs_at):
        logs_at, es = None, logs_at
    if es is None:
        return Where(logs_at if logs_at is not None else settings.log_file or _DEFAULT_FILES, None, "")
    address = address_of(es, settings, **given)
    return Where("", address, f"{settings.elasticsearch_index_prefix}-*" if index is None else index)
