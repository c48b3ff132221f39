"""Private parts that sending by OTLP rests on: what an exporter is made over, and of which files."""

from __future__ import annotations

import sys
from typing import Any, Final

from otel_distro.errors import InputError
from otel_distro.internals import find

_GRPC: Final = "opentelemetry.exporter.otlp.proto.grpc.exporter"


def exporter_over(kind: Any, transport: Any) -> Any:
    """Return an OTLP/HTTP exporter of this class that sends by a transport of ours.

    None where this release makes them in another way, or where the user has named a session of requests to send by.
    """
    module = sys.modules[kind.__module__]
    try:
        named = [name for name in vars(module) if name.endswith("_CREDENTIAL_PROVIDER")]
        if any(module._load_session_from_envvar(getattr(module, name)) is not None for name in named):
            return None
        exporter = kind(_transport=transport)
        over = exporter._client._transport
    except Exception:  # noqa: BLE001 -- made in the usual way it says what is wrong
        return None
    return exporter if over is transport else None


def check_client_files() -> None:
    """Have exporters by gRPC refuse files with which no connection can come about, before gRPC has them.

    One half of a client's certificate and key would end the process; of authorities that are none gRPC would tell in
    four lines at each try. A second call does nothing, nor does one where this release loads the files in another way.
    """
    original = find(_GRPC, "_load_credentials")
    if original is None or hasattr(original, "otel_distro_checks"):
        return

    def load_credentials(certificate_file: Any, client_key_file: Any, client_certificate_file: Any) -> Any:
        halves = {"CLIENT_KEY": client_key_file, "CLIENT_CERTIFICATE": client_certificate_file}
        if any(halves.values()):
            for name, file in halves.items():
                _check(name, file)
        if certificate_file:
            _check_authorities(certificate_file)
        return original(certificate_file, client_key_file, client_certificate_file)

    load_credentials.otel_distro_checks = True  # type: ignore[attr-defined]  # a mark
    module: Any = sys.modules[_GRPC]
    module._load_credentials = load_credentials


def _check(name: str, file: str | None) -> None:
    if not file:
        raise InputError(f"OTEL_EXPORTER_OTLP_{name} is not set, and a client's certificate and key go together")
    try:
        with open(file, "rb") as opened:
            found = opened.read()
    except OSError as error:
        raise InputError(f"OTEL_EXPORTER_OTLP_{name}={file!r} cannot be read: {error.strerror}") from error
    if not found:
        raise InputError(f"OTEL_EXPORTER_OTLP_{name}={file!r} is an empty file")


def _check_authorities(file: str) -> None:
    _check("CERTIFICATE", file)
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError as error:
        raise InputError(
            f"OTEL_EXPORTER_OTLP_CERTIFICATE={file!r} holds no certificate in PEM; "
            "name a PEM file with the receiver's authority"
        ) from error
