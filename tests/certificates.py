"""Real certificates from the `openssl` program: an authority, a server and a client of it, and strangers to it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Of our own, so that nothing depends on the machine's openssl.cnf.
_CONFIG: Final = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:false
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[client]
basicConstraints = critical, CA:false
extendedKeyUsage = clientAuth
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, each in a PEM file."""

    certificate: Path
    key: Path

    @property
    def both(self) -> str:
        """The text of both files, as a single file may hold them."""
        return self.certificate.read_text() + self.key.read_text()


@dataclass(frozen=True)
class Certificates:
    """Two authorities that do not know each other, and what they have signed; valid for localhost and 127.0.0.1."""

    folder: Path
    authority: Pair
    server: Pair
    renewed_server: Pair
    client: Pair
    other_authority: Pair
    stranger: Pair


def make(folder: Path) -> Certificates:
    """Make them all in the folder; raises CalledProcessError where `openssl` does not do its part."""
    (folder / "openssl.cnf").write_text(_CONFIG)
    authority = _authority(folder, "authority")
    other = _authority(folder, "other-authority")
    return Certificates(
        folder,
        authority,
        _signed(folder, "server", authority, "server"),
        _signed(folder, "renewed-server", authority, "server"),
        _signed(folder, "client", authority, "client"),
        other,
        _signed(folder, "stranger", other, "client"),
    )


def with_passphrase(pair: Pair, file: Path) -> Path:
    """Write the pair's key into the file, locked by a passphrase."""
    _openssl("pkey", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", file)
    return file


def _authority(folder: Path, name: str) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(*_request(folder, pair, name), "-x509", "-days", "2", "-extensions", "authority", "-out", pair.certificate)
    return pair


def _signed(folder: Path, name: str, authority: Pair, section: str) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    wish = folder / f"{name}.csr"
    _openssl(*_request(folder, pair, name), "-out", wish)
    signer = ("-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial", "-days", "2")
    extensions = ("-extfile", folder / "openssl.cnf", "-extensions", section)
    _openssl("x509", "-req", "-in", wish, *signer, *extensions, "-out", pair.certificate)
    return pair


def _request(folder: Path, pair: Pair, name: str) -> tuple[str | Path, ...]:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pair.key)
    return ("req", "-new", "-config", folder / "openssl.cnf", "-subj", f"/CN={name}", *key)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
