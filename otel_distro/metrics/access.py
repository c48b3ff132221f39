"""Who may read the metrics page: TLS with client certificates, passwords and tokens, from files that may change.

Sources: RFC 7617 (basic), RFC 6750 (bearer), RFC 9110 section 11 (several challenges, any of which suffices).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from otel_distro.errors import InputError
from otel_distro.metrics.watched import NamedFile, Watched
from otel_distro.settings import Settings

if TYPE_CHECKING:
    import ssl

CERTIFICATE: Final = "OTEL_DISTRO_PROMETHEUS_TLS_CERT_FILE"
KEY: Final = "OTEL_DISTRO_PROMETHEUS_TLS_KEY_FILE"
CLIENT_CA: Final = "OTEL_DISTRO_PROMETHEUS_TLS_CLIENT_CA_FILE"
USERS: Final = "OTEL_DISTRO_PROMETHEUS_BASIC_AUTH_FILE"
TOKENS: Final = "OTEL_DISTRO_PROMETHEUS_BEARER_TOKEN_FILE"


class Access:
    """The rules for readers of the page; without any file everybody who reaches the page may read it.

    A file that changes is read again for the next client; one that cannot be used then is one warning, and what it
    held before stays in force. Safe to use from any thread and, as it holds no lock, in a forked child. Passwords
    and tokens are kept as hashes only. Raises InputError, which names variable, file and mend and never a secret,
    where a file cannot be used: the page must not be opened then.
    """

    def __init__(
        self, *, certificate: str = "", key: str = "", client_ca: str = "", users: str = "", tokens: str = ""
    ) -> None:
        for variable, value in ((KEY, key), (CLIENT_CA, client_ca)):
            if value and not certificate:
                raise InputError(f"{variable} is set without {CERTIFICATE}; name the certificate of the page there too")
        chain = _file(CERTIFICATE, certificate, "name a PEM file with the certificate chain of the page")
        private = _file(KEY, key, "name a PEM file with the private key of the certificate")
        authorities = _file(CLIENT_CA, client_ca, "name a PEM file with certificate authorities")
        passwords = _file(USERS, users, "name a file with a line user:password for each user")
        bearers = _file(TOKENS, tokens, "name a file with a line for each token, of visible ASCII without blanks")
        self._tls = chain and Watched((chain, private, authorities), lambda: _context(chain, private, authorities))
        self._users = passwords and Watched((passwords,), lambda: _digests(passwords, _user))
        self._tokens = bearers and Watched((bearers,), lambda: _digests(bearers, _token))

    @classmethod
    def from_settings(cls, settings: Settings) -> Access:
        """Read the files that the settings name; raises InputError where one of them cannot be used."""
        return cls(
            certificate=settings.prometheus_tls_cert_file,
            key=settings.prometheus_tls_key_file,
            client_ca=settings.prometheus_tls_client_ca_file,
            users=settings.prometheus_basic_auth_file,
            tokens=settings.prometheus_bearer_token_file,
        )

    @property
    def encrypted(self) -> bool:
        """Whether the page speaks TLS."""
        return self._tls is not None

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context for the next client, or None for a page without TLS."""
        return self._tls.value() if self._tls else None

    @property
    def challenges(self) -> tuple[str, ...]:
        """The `WWW-Authenticate` headers that tell a client which credentials it needs, if any."""
        basic = ('Basic realm="metrics", charset="UTF-8"',) if self._users else ()
        return (*basic, 'Bearer realm="metrics"') if self._tokens else basic

    def allows(self, authorization: str) -> bool:
        """Whether the `Authorization` header (empty: none was sent) opens the page."""
        if not self._users and not self._tokens:
            return True
        scheme, _, credentials = authorization.strip().partition(" ")
        if scheme.lower() == "basic" and self._users:
            try:
                given = b64decode(credentials.strip().encode("ascii", "replace"), validate=True)
            except binascii.Error:
                return False
            return _known(given, self._users.value())
        if scheme.lower() == "bearer" and self._tokens:
            return _known(credentials.strip().encode("utf-8", "replace"), self._tokens.value())
        return False


def _file(variable: str, value: str, mend: str) -> NamedFile | None:
    return NamedFile(variable, value, mend) if value else None


def _context(certificate: NamedFile, key: NamedFile | None, client_ca: NamedFile | None) -> ssl.SSLContext:
    import ssl

    for file in (certificate, key, client_ca):
        if file:
            file.read()  # for an error that names the one file which is wrong
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        # Without a password OpenSSL would ask for one at the terminal and keep the application waiting.
        context.load_cert_chain(certificate.path, key.path if key else None, password="")
    except (OSError, ValueError) as error:
        raise certificate.error(
            f"is no PEM certificate with a private key that fits it ({_reason(error)}); "
            f"the key is in {KEY} or in the same file and has no passphrase"
        ) from None
    if client_ca:
        try:
            context.load_verify_locations(client_ca.path)
        except (OSError, ValueError) as error:
            raise client_ca.error(f"holds no PEM certificate ({_reason(error)})") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__)


def _digests(file: NamedFile, parse: Callable[[str], str]) -> tuple[bytes, ...]:
    found = []
    for number, line in _lines(file):
        secret = parse(line)
        if not secret:
            raise file.error(f"has a line that cannot be used, line {number}")
        found.append(hashlib.sha256(secret.encode()).digest())
    if not found:
        raise file.error("holds nothing")
    return tuple(found)


def _lines(file: NamedFile) -> Iterator[tuple[int, str]]:
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise file.error("is not UTF-8 text") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.removesuffix("\r")


def _user(line: str) -> str:
    user, _, password = line.partition(":")
    return line if user.strip() and password else ""


def _token(line: str) -> str:
    token = line.strip()
    return token if token.isascii() and token.isprintable() and " " not in token else ""


def _known(given: bytes, digests: tuple[bytes, ...]) -> bool:
    digest = hashlib.sha256(given).digest()
    # A list, not a generator: the time does not tell which of them it was.
    return any([hmac.compare_digest(digest, known) for known in digests])  # noqa: C419 -- as said
