"""Whether a receiver takes what a signal's exporter sends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from otel_distro.delivery.attempts import Attempt, Attempts
from otel_distro.delivery.reasons import Reasons
from otel_distro.doctor.model import FAULT, OK, WARNING, Check, Finding, parted
from otel_distro.errors import InputError
from otel_distro.exporters import entry_of, load, wanted
from otel_distro.metrics.watched import NamedFile
from otel_distro.settings import Settings

SIGNALS: Final = ("traces", "metrics", "logs")
_SECONDS: Final = 3.0
_CODE: Final = re.compile(r"(\d{3}|[A-Z_]+)(?=[ :]|$)")
_FILES: Final = {
    "CERTIFICATE": "a PEM file with the receiver's authority",
    "CLIENT_KEY": "a PEM file with a private key",
    "CLIENT_CERTIFICATE": "a PEM file with a certificate",
}
_ELSEWHERE: Final = ": give that as the endpoint"
_LONG_WAY: Final = re.compile("failed to connect to all addresses; last error: (UNKNOWN: )?")  # of gRPC
_REFUSED: Final = frozenset(("401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED"))
_NOTHING_THERE: Final = frozenset(("404", "405", "UNIMPLEMENTED", "NOT_FOUND"))
_EMPTY: Final = frozenset(("400", "INVALID_ARGUMENT"))  # somebody may ask for something in a request
# Of Python's HTTP client, the system, and gRPC with and without TLS.
_OTHER_WORDS: Final = re.compile("^BadStatusLine|^RemoteDisconnected|reset by peer|ALPN|parsing HTTP/2")
_TLS: Final = re.compile("certificate|ssl|security handshaker", re.IGNORECASE)
# A pair of files that is none, or a receiver that wants one or does not know its authority.
_OWN_PAIR: Final = re.compile("PEM lib|KEY_VALUES_MISMATCH|ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA)")
BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables of requests, by which OTLP goes over HTTPS: whom to trust where the exporter has nobody of its own."""
_UNUSABLE: Final = re.compile("the endpoint is no URL|the endpoint or a header cannot be used")
_BY_PROXY: Final = re.compile("^by the proxy: |^the proxy of the environment |^407 ")  # a host may be called so
_PROXY: Final = "let the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY take it, or name the receiver's host in NO_PROXY"
_PAIR: Final = ("CERTIFICATE", "KEY")
_PORTS: Final = {"4317": "grpc", "4318": "http/protobuf"}


def checks(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """Yield a check for each exporter of each signal; the exporters of OTLP are made here and close themselves."""
    for signal in SIGNALS:
        yield from _unasked(signal, settings, environment)
        name = f"otlp-{signal}"
        for exporter in wanted(getattr(settings, f"{signal}_exporters")):
            if (signal, exporter) == ("metrics", "prometheus") or exporter == "console":
                continue
            try:
                entry_of(signal, exporter, settings)
                _files_are_there(signal, environment)
                made = load(signal, exporter, settings) if exporter == "otlp" else None
            except InputError as error:
                finding = Finding(
                    f"{'otlp' if exporter == 'otlp' else 'exporter'}-{signal}", FAULT, *parted(str(error))
                )
            except Exception as error:  # noqa: BLE001 -- a certificate that is none, say
                why = Reasons(None).of(error) if isinstance(error, OSError) else type(error).__name__
                finding = Finding(name, FAULT, f"the exporter cannot be made: {why}", _look_at(signal, environment))
            else:
                if made is not None:
                    asking = _asking(name, signal, made, settings.protocol_of(signal), environment)
                    yield Check(name, asking, remote=True, late=_look_at(signal, environment))
                    continue
                finding = Finding(f"exporter-{signal}", OK, f"{exporter} is installed; it is not asked")
            yield Check(finding.check, lambda finding=finding: [finding], remote=True)  # type: ignore[misc]


def _unasked(signal: str, settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """Yield a check that warns of a signal's own endpoint where nothing of it is sent by OTLP."""
    exporters, variable = getattr(settings, f"{signal}_exporters"), f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    if environment.get(variable, "").strip() and not any(name.startswith("otlp") for name in exporters):
        found = f"nothing is sent, though {variable} is set: OTEL_{signal.upper()}_EXPORTER={','.join(exporters)}"
        finding = Finding(f"otlp-{signal}", WARNING, found, f"add otlp to that list, or unset {variable}")
        yield Check(finding.check, lambda: [finding], remote=True)


def _asking(name: str, signal: str, exporter: Any, protocol: str, environment: Mapping[str, str]) -> Any:
    return lambda: [ask(name, signal, exporter, protocol, environment)]


def ask(name: str, signal: str, exporter: Any, protocol: str, environment: Mapping[str, str]) -> Finding:
    """Send one request without anything in it as the service would send one, close the exporter, and say what came."""
    attempts = Attempts(signal, exporter)
    attempts.hurry(monotonic() + _SECONDS)
    try:
        result = exporter.export(_nothing(signal))
        attempt = attempts.last or Attempt(getattr(result, "name", "") == "SUCCESS", "the exporter gave it up")
    except Exception as error:  # noqa: BLE001 -- an exporter of any make
        attempt = Attempt(False, attempts.reasons.of(error))
    finally:
        with suppress(Exception):
            exporter.shutdown()
    place = f"{attempts.endpoint} by {protocol}"
    if attempt.delivered:
        return _taken(name, signal, place, attempt, _variable("ENDPOINT", signal, environment))
    code = _CODE.match(attempt.why)
    status = WARNING if code and code[1] in _EMPTY else FAULT
    why, own_mend = parted(attempt.why) if _UNUSABLE.search(attempt.why) else (attempt.why, "")
    told = _LONG_WAY.sub("", why).removesuffix(_ELSEWHERE)
    found = f"{place}: {told}"
    own_mend = own_mend or (_PROXY if _BY_PROXY.search(why) else "")
    mend = own_mend or _mend(code[1] if code else "", why, signal, protocol, attempts.endpoint, environment)
    return Finding(name, status, found, mend)


def _taken(name: str, signal: str, place: str, attempt: Attempt, variable: str) -> Finding:
    if attempt.page:
        found = f"{place}: a page of HTML comes back: it is no receiver, and what is sent there is lost"
        return Finding(name, FAULT, found, f"name the receiver ({variable})")
    return Finding(name, OK, f"{place} takes {signal}")


def _files_are_there(signal: str, environment: Mapping[str, str]) -> None:
    """Raise InputError for a file of TLS that cannot be read; exporters go on without it, or fail by each request."""
    for kind, what in _FILES.items():
        name = _variable(kind, signal, environment)
        path = environment.get(name, "").strip()
        if path:
            NamedFile(name, path, f"name {what}").read()  # which shows no value that may be the key itself


def _nothing(signal: str) -> Any:
    if signal != "metrics":
        return []
    from opentelemetry.sdk.metrics.export import MetricsData

    return MetricsData([])


def _mend(  # noqa: PLR0911, PLR0913, PLR0917 -- one case each
    code: str, why: str, signal: str, protocol: str, endpoint: str, environment: Mapping[str, str]
) -> str:
    variable = _variable("ENDPOINT", signal, environment)
    port = endpoint.rpartition(":")[2]
    if code in _REFUSED:
        return f"give what the receiver asks for in {_variable('HEADERS', signal, environment)}"
    if _PORTS.get(port, protocol) != protocol:
        own = _variable("PROTOCOL", signal, environment)
        return f"set {own}={_PORTS[port]}: port {port} is by custom for that; or name another ({variable})"
    if why.endswith(_ELSEWHERE):
        return f"give that as the endpoint ({variable})"
    if code in _NOTHING_THERE:
        return _not_taken(why, signal, environment)
    if code in _EMPTY:
        return "maybe only requests without anything in them are refused: look there whether anything arrives"
    if _OTHER_WORDS.search(why):
        own = _variable("PROTOCOL", signal, environment)
        return f"it may not speak {protocol}, or by TLS alone: look at {own}, and at http:// or https:// in {variable}"
    if "not known" in why or "resolv" in why or "DNS" in why:
        return f"name the receiver's host as this machine knows it ({variable})"
    if _TLS.search(why):
        return _mend_of_tls(why, signal, protocol, environment)
    if code.isdecimal():
        return "look at the log of the receiver"
    return f"start the receiver, or name another one ({variable})"


def _not_taken(why: str, signal: str, environment: Mapping[str, str]) -> str:
    if "grpc-encoding" in why:  # which the Collector answers with UNIMPLEMENTED as well
        return f"set {_variable('COMPRESSION', signal, environment)}=gzip: the receiver cannot unpack this"
    return (
        f"look at {_variable('ENDPOINT', signal, environment)}: nobody takes {signal} there; what is for all signals "
        f"ends before /v1/{signal}, what is for one has it; or OTEL_{signal.upper()}_EXPORTER=none"
    )


def _mend_of_tls(why: str, signal: str, protocol: str, environment: Mapping[str, str]) -> str:
    if _OWN_PAIR.search(why):
        return f"look at {' and '.join(_variable(f'CLIENT_{kind}', signal, environment) for kind in _PAIR)}"
    variable = _variable("ENDPOINT", signal, environment)
    if "WRONG_VERSION_NUMBER" in why:
        return f"give http:// in {variable}: nobody speaks TLS there"
    return f"look at {_authorities(signal, protocol, environment)} and at http:// or https:// in {variable}"


def _authorities(signal: str, protocol: str, environment: Mapping[str, str]) -> str:
    """Return the variable that says whom to trust."""
    own = _variable("CERTIFICATE", signal, environment)
    if protocol == "grpc" or environment.get(own):
        return own
    return next((name for name in BUNDLES if environment.get(name)), own)


def _look_at(signal: str, environment: Mapping[str, str]) -> str:
    names = [_variable(kind, signal, environment) for kind in ("ENDPOINT", "HEADERS", "CERTIFICATE")]
    return f"look at {', '.join(names)}"


def _variable(kind: str, signal: str, environment: Mapping[str, str]) -> str:
    """Return the variable that is in force for a signal: its own where it is set, else that of all."""
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{kind}"
    return own if environment.get(own, "").strip() else f"OTEL_EXPORTER_OTLP_{kind}"
