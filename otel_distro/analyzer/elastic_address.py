"""Where an Elasticsearch is and how it is spoken to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from otel_distro.errors import InputError

DEFAULT_HOST: Final = "localhost:9200"
TIMEOUT: Final = 30.0  # seconds for one request
_HOST: Final = re.compile(r"[\w.~!$&'()*+,;=-]+|[0-9A-Fa-f:.]+")


@dataclass(frozen=True)
class Address:
    """One Elasticsearch, its credentials and how long it may take for an answer (seconds); immutable.

    `url` never holds credentials, so it can be shown. One of `api_key` and `basic_auth` at most is set.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)
    basic_auth: tuple[str, str] | None = field(default=None, repr=False)
    ca_certs: str | None = None
    timeout: float = TIMEOUT

    @classmethod
    def of(
        cls,
        es_host: str,
        *,
        api_key: str | None = None,
        basic_auth: tuple[str, str] | None = None,
        ca_certs: str | os.PathLike[str] | None = None,
    ) -> Address:
        """Return the address that a `host`, `host:port` or URL names.

        Without a port a host means 9200 and a URL the port of its scheme. Without a scheme it is https where `ca_certs`
        is given, else http. Credentials inside of the URL count as `basic_auth`.

        Raises:
            InputError: something is no address, no credentials or no file; nothing secret is in the message.
        """
        scheme, separator, rest = es_host.rpartition("://")
        if not separator:
            scheme, rest = "https" if ca_certs else "http", es_host
        if scheme.lower() not in ("http", "https"):  # the client takes any other for http, credentials in the clear
            named = f"{scheme}:// in its address" if scheme.isalnum() else "its address"
            raise InputError(f"Elasticsearch: {named} is neither http:// nor https://; give host:port or such a URL")
        try:
            parts = urlsplit(f"{scheme}://{rest}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not _can_be_asked(host):
            raise InputError(f"{rest.rpartition('@')[2]!r} names no Elasticsearch; give host:port or a URL")
        if port is None:
            port = (443 if scheme.lower() == "https" else 80) if separator else 9200
        if parts.username is not None and basic_auth is None:
            basic_auth = unquote(parts.username), unquote(parts.password or "")
        _check(scheme, api_key, basic_auth, ca_certs)
        shown = f"[{host}]" if ":" in host else host
        url = f"{scheme.lower()}://{shown}:{port}{parts.path.rstrip('/')}"
        return cls(url, api_key, basic_auth, None if ca_certs is None else os.fspath(ca_certs))


def _can_be_asked(host: str) -> bool:
    """Say whether a name has only characters and parts that names of hosts may have, or is an address."""
    try:
        return bool(_HOST.fullmatch(host) and host.encode("idna"))
    except UnicodeError:  # an empty part, or one of more than 63 characters
        return False


def _check(
    scheme: str,
    api_key: str | None,
    basic_auth: tuple[str, str] | None,
    ca_certs: str | os.PathLike[str] | None,
) -> None:
    if api_key is not None and (not isinstance(api_key, str) or not api_key.isascii() or not api_key.strip()):
        raise InputError("api_key is no API key; give the text that Elasticsearch calls `encoded`")
    if basic_auth is not None and (
        not isinstance(basic_auth, (tuple, list)) or [type(part) for part in basic_auth] != [str, str]
    ):
        raise InputError("basic_auth is no pair of name and password; give two texts")
    if api_key is not None and basic_auth is not None:
        raise InputError("api_key and basic_auth are both given; leave one of them out")
    if ca_certs is None:
        return
    if scheme.lower() != "https":
        raise InputError(f"ca_certs={os.fspath(ca_certs)!r} is for https, but the address says {scheme}; use https://")
    if not Path(ca_certs).is_file():
        raise InputError(f"ca_certs={os.fspath(ca_certs)!r} is no file; give a PEM file with the certificate authority")
