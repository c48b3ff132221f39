"""Whether the metrics page can be served at its address, who has that otherwise, and who may read it."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final

from otel_distro.doctor.model import FAULT, OK, WARNING, Finding, parted
from otel_distro.errors import InputError
from otel_distro.metrics.access import Access
from otel_distro.metrics.http import socket_address
from otel_distro.metrics.server import mend_of
from otel_distro.settings import Settings

NAME: Final = "page"
ACCESS: Final = "page-access"
LATE: Final = "name an address of this machine (OTEL_EXPORTER_PROMETHEUS_HOST)"
_SECONDS: Final = 3.0
_CERTIFICATE_WANTED: Final = 1  # in the place of a status: the server hangs up on who has none
_LIMIT: Final = 16 << 20
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- compared
_PROCESSES: Final = re.compile(rb"^otel_distro_processes(?:\{[^}\n]*\})? (\d+)", re.MULTILINE)
_SERVICE: Final = re.compile(rb'^target_info\{[^\n]*?service_name="((?:[^"\\]|\\.)*)"', re.MULTILINE)
_UNESCAPED: Final = re.compile(r"\\(.)")  # a name of a service has no newline


def look(settings: Settings) -> list[Finding]:
    """Return whether the address is free, or has this service's page already; nothing keeps it."""
    place = f"{settings.prometheus_host}:{settings.prometheus_port}"
    try:
        family, address = socket_address(settings.prometheus_host, settings.prometheus_port)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return [_taken(settings, place, address, mend_of(error))]
        return [Finding(NAME, FAULT, f"{place}: {error.strerror or error}", mend_of(error))]
    return [Finding(NAME, OK, f"{place} is free" if settings.prometheus_port else f"{place} takes a free port")]


def unasked(settings: Settings, variable: str) -> list[Finding]:
    """Return that the page's variable has no force, as metrics go elsewhere; `start_metrics_server` has its own."""
    found = f"there is none, though {variable} is set: OTEL_METRICS_EXPORTER={','.join(settings.metrics_exporters)}"
    return [Finding(NAME, WARNING, found, f"add prometheus to that list, or unset {variable}")]


def look_at_access(settings: Settings) -> list[Finding]:
    """Return who may read the page, or which of the files that say so cannot be used."""
    try:
        access = Access.from_settings(settings)
        access.tls()
    except InputError as error:
        return [Finding(ACCESS, FAULT, *parted(str(error)))]
    ways = (
        ("users with a password", settings.prometheus_basic_auth_file),
        ("holders of a token", settings.prometheus_bearer_token_file),
    )
    who = " and ".join(way for way, file in ways if file) or "whoever reaches it"
    if settings.prometheus_tls_client_ca_file:
        who += " with a client certificate"
    return [Finding(ACCESS, OK, f"open to {who}, {'by TLS' if access.encrypted else 'without TLS'}")]


def _taken(settings: Settings, place: str, address: tuple[Any, ...], mend: str) -> Finding:
    status, challenge, page = _asked(address, bool(settings.prometheus_tls_cert_file))
    processes, service = _PROCESSES.search(page), _SERVICE.search(page)
    if (status == 401 and 'realm="metrics"' in challenge) or status == _CERTIFICATE_WANTED:
        found = f"{place} has a metrics page that asks for credentials"
        return Finding(NAME, WARNING, found, f"it is well if that is this service; else {mend}")
    if status == 200 and processes:
        name = _UNESCAPED.sub(r"\1", service[1].decode("utf-8", "replace")) if service else ""
        # The SDK names a service that nobody has named.
        if name == settings.service_name or (not settings.service_name and name.startswith("unknown_service")):
            number = processes[1].decode()
            found = f"{place} has this service's page already, of {number} process{'es' * (number != '1')}"
            return Finding(NAME, OK, found)
        return Finding(NAME, FAULT, f"{place} has the page of another service, {name!r}", mend)
    return Finding(NAME, FAULT, f"{place} is taken by another program", mend)


def _asked(address: tuple[Any, ...], encrypted: bool) -> tuple[int, str, bytes]:
    """Return status, challenge and body of the page at an address; status 0 where nobody answers by HTTP."""
    zone = "".join(f"%{number}" for number in address[3:])
    host = _ANYWHERE.get(address[0], address[0]) + zone
    if encrypted:
        context = ssl.create_default_context()
        context.check_hostname = False  # nothing secret is sent: it is only asked who is there
        context.verify_mode = ssl.CERT_NONE
        connection: HTTPConnection = HTTPSConnection(host, address[1], timeout=_SECONDS, context=context)
    else:
        connection = HTTPConnection(host, address[1], timeout=_SECONDS)
    in_talk = False
    try:
        connection.connect()
        in_talk = True
        connection.request("GET", "/metrics", headers={"Accept": "text/plain"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("WWW-Authenticate") or "", answer.read(_LIMIT)
    except (OSError, HTTPException) as error:
        # By TLS 1.3 the server says so, or hangs up, after the handshake, by TLS 1.2 within it.
        refused = encrypted and (in_talk or "ALERT" in (getattr(error, "reason", None) or ""))
        return _CERTIFICATE_WANTED if refused else 0, "", b""
    finally:
        connection.close()
