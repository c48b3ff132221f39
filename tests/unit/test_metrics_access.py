"""Who may read the page: the files, the header, the TLS context."""

from __future__ import annotations

import base64
import logging
import os
import pty
import shutil
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_distro.errors import InputError
from otel_distro.metrics.access import CERTIFICATE, CLIENT_CA, KEY, TOKENS, USERS, Access
from otel_distro.settings import Settings
from tests import certificates
from tests.certificates import Certificates


@pytest.fixture(scope="session")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def written(folder: Path, text: str, name: str = "secrets") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def rewritten(file: str, text: str) -> None:
    Path(file + ".new").write_text(text, encoding="utf-8")
    os.replace(file + ".new", file)


def refused(variable: str, value: str, **others: str) -> str:
    with pytest.raises(InputError) as caught:
        Access.from_settings(Settings.from_environ({variable: value, **others}))
    return str(caught.value)


def test_without_files_everybody_may_read_and_nothing_is_encrypted() -> None:
    access = Access.from_settings(Settings.from_environ({}))
    assert access.allows("")
    assert access.allows("Basic nonsense")
    assert access.challenges == ()
    assert access.tls() is None
    assert not access.encrypted


def test_each_user_gets_in_with_its_own_password_only(tmp_path: Path) -> None:
    users = written(tmp_path, "ann:hunter2\r\n\n  \nbob:with:colon and blank \nzoë:пароль")
    access = Access.from_settings(Settings.from_environ({USERS: users}))
    assert access.allows(basic("ann", "hunter2"))
    assert access.allows(basic("bob", "with:colon and blank "))
    assert access.allows(basic("zoë", "пароль"))
    assert access.allows(basic("ann", "hunter2").replace("Basic ", "  bAsIC   "))
    for wrong in (basic("ann", "with:colon and blank "), basic("bob", "hunter2"), basic("ann", ""), basic("", "")):
        assert not access.allows(wrong)


def test_each_token_gets_in(tmp_path: Path) -> None:
    access = Access.from_settings(Settings.from_environ({TOKENS: written(tmp_path, "old.token\n new-token= \n")}))
    assert access.allows("Bearer old.token")
    assert access.allows("bearer  new-token=")
    for wrong in (
        "Bearer",
        "Bearer ",
        "Bearer old",
        "Bearer old.token new-token=",
        "old.token",
        "Token old.token",
        basic("a", "old.token"),
    ):
        assert not access.allows(wrong)


def test_a_user_or_a_token_suffices_where_both_are_set(tmp_path: Path) -> None:
    access = Access(users=written(tmp_path, "ann:pass"), tokens=written(tmp_path, "token", "tokens"))
    assert access.allows(basic("ann", "pass"))
    assert access.allows("Bearer token")
    assert not access.allows("")
    assert access.challenges == ('Basic realm="metrics", charset="UTF-8"', 'Bearer realm="metrics"')


def test_one_kind_of_credentials_is_no_key_for_the_other(tmp_path: Path) -> None:
    users, tokens = written(tmp_path, "ann:pass"), written(tmp_path, "token", "tokens")
    assert not Access(users=users).allows("Bearer ann:pass")
    assert not Access(tokens=tokens).allows(basic("", "token"))
    assert not Access(tokens=tokens).allows("Basic " + base64.b64encode(b"token").decode())
    assert Access(users=users).challenges == ('Basic realm="metrics", charset="UTF-8"',)
    assert Access(tokens=tokens).challenges == ('Bearer realm="metrics"',)


@given(st.text() | st.text().map("Basic ".__add__) | st.text().map("Bearer ".__add__))
def test_no_header_raises_and_none_that_is_made_up_opens_the_page(
    tmp_path_factory: pytest.TempPathFactory, header: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    secret = "q" * 40
    access = Access(users=written(folder, f"ann:{secret}"), tokens=written(folder, secret, "tokens"))
    assert not access.allows(header)


def test_passwords_and_tokens_that_are_changed_count_at_once(tmp_path: Path) -> None:
    users, tokens = written(tmp_path, "ann:one"), written(tmp_path, "one", "tokens")
    access = Access(users=users, tokens=tokens)
    rewritten(users, "ann:two")
    rewritten(tokens, "two")
    assert access.allows(basic("ann", "two"))
    assert access.allows("Bearer two")
    assert not access.allows(basic("ann", "one"))
    assert not access.allows("Bearer one")


@pytest.mark.parametrize("harm", ["", "no colon", "\udcff"])
def test_a_file_that_breaks_later_neither_opens_the_page_nor_shuts_it(
    harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    users = written(tmp_path, "ann:one")
    access = Access(users=users)
    Path(users).write_bytes(harm.encode(errors="surrogateescape"))
    for _ in range(3):
        assert access.allows(basic("ann", "one"))
        assert not access.allows("")
    assert len(caplog.records) == 1
    assert f"{USERS}='{users}'" in caplog.text


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        (USERS, "", "holds nothing; name a file with a line user:password for each user"),
        (USERS, "\n \n", "holds nothing"),
        (USERS, "ann:fine\nhunter2", "has a line that cannot be used, line 2"),
        (USERS, ":hunter2", "has a line that cannot be used, line 1"),
        (USERS, "hunter2:", "has a line that cannot be used, line 1"),
        (TOKENS, "", "holds nothing; name a file with a line for each token"),
        (TOKENS, "hunter2 hunter2", "has a line that cannot be used, line 1"),
        (TOKENS, "hunter2é", "has a line that cannot be used, line 1"),
    ],
)
def test_a_file_without_usable_credentials_is_an_error_without_a_secret(
    variable: str, text: str, problem: str, tmp_path: Path
) -> None:
    file = written(tmp_path, text)
    message = refused(variable, file)
    assert message.startswith(f"{variable}='{file}' {problem}")
    assert "hunter2" not in message
    assert "fine" not in message


@pytest.mark.parametrize("variable", [USERS, TOKENS])
def test_bytes_that_are_no_text_are_an_error_without_them(variable: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ann:hunter2\xff")
    message = refused(variable, str(tmp_path / "a"))
    assert "is not UTF-8 text" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("variable", [CERTIFICATE, USERS, TOKENS])
def test_a_missing_file_is_an_error_that_names_it(variable: str, tmp_path: Path) -> None:
    message = refused(variable, str(tmp_path / "gone"))
    assert message.startswith(f"{variable}='{tmp_path / 'gone'}' cannot be read (No such file or directory); name a")


@pytest.mark.parametrize("variable", [KEY, CLIENT_CA])
def test_tls_files_without_a_certificate_are_an_error_not_a_page_in_clear(variable: str, pems: Certificates) -> None:
    message = refused(variable, str(pems.authority.certificate))
    assert message == f"{variable} is set without {CERTIFICATE}; name the certificate of the page there too"


def test_a_context_speaks_tls_1_2_and_newer_and_asks_for_client_certificates_where_told_so(pems: Certificates) -> None:
    files = {CERTIFICATE: str(pems.server.certificate), KEY: str(pems.server.key)}
    plain = Access.from_settings(Settings.from_environ(files))
    assert plain.encrypted
    context = plain.tls()
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE
    both = Access.from_settings(Settings.from_environ({**files, CLIENT_CA: str(pems.authority.certificate)})).tls()
    assert both is not None
    assert both.verify_mode == ssl.CERT_REQUIRED


def test_certificate_and_key_may_stand_in_one_file(pems: Certificates, tmp_path: Path) -> None:
    assert Access(certificate=written(tmp_path, pems.server.both)).tls() is not None


def test_a_context_is_made_once_and_anew_when_a_file_changes(pems: Certificates, tmp_path: Path) -> None:
    certificate = shutil.copy(pems.server.certificate, tmp_path / "server.pem")
    key = shutil.copy(pems.server.key, tmp_path / "server.key")
    access = Access(certificate=str(certificate), key=str(key))
    first = access.tls()
    assert access.tls() is first
    rewritten(str(certificate), pems.renewed_server.certificate.read_text())
    assert access.tls() is first  # the key does not fit yet
    rewritten(str(key), pems.renewed_server.key.read_text())
    second = access.tls()
    assert second is not first
    assert access.tls() is second


@pytest.mark.parametrize("harm", ["no PEM", "another key", "a passphrase", "no key"])
def test_a_certificate_and_a_key_that_do_not_fit_are_an_error(harm: str, pems: Certificates, tmp_path: Path) -> None:
    certificate, key = pems.server.certificate, pems.server.key
    if harm == "no PEM":
        certificate = Path(written(tmp_path, "hunter2"))
    elif harm == "another key":
        key = pems.client.key
    elif harm == "a passphrase":
        key = certificates.with_passphrase(pems.server, tmp_path / "locked.key")
    message = refused(CERTIFICATE, str(certificate), **({} if harm == "no key" else {KEY: str(key)}))
    assert message.startswith(f"{CERTIFICATE}='{certificate}' is no PEM certificate with a private key that fits it (")
    assert KEY in message
    assert "hunter2" not in message


def test_a_key_with_a_passphrase_never_asks_at_the_terminal(pems: Certificates, tmp_path: Path) -> None:
    key = certificates.with_passphrase(pems.server, tmp_path / "locked.key")
    program = (
        "import sys; from otel_distro.metrics.access import Access as A; A(certificate=sys.argv[1], key=sys.argv[2])"
    )
    # OpenSSL asks at the terminal of the process, so this one gets a terminal of its own.
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", program, str(pems.server.certificate), str(key)])  # noqa: S606 -- no shell is wanted
    os.write(terminal, b"secret\n")
    said = b""
    with suppress(OSError):  # how a terminal says that nobody is left on it
        while part := os.read(terminal, 65536):
            said += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert b"InputError" in said
    assert b"pass phrase" not in said


@pytest.mark.parametrize("harm", ["text", "a key"])
def test_authorities_that_are_none_are_an_error(harm: str, pems: Certificates, tmp_path: Path) -> None:
    authorities = written(tmp_path, "hunter2" if harm == "text" else pems.authority.key.read_text())
    files = {CERTIFICATE: str(pems.server.certificate), KEY: str(pems.server.key)}
    message = refused(CLIENT_CA, authorities, **files)
    assert message.startswith(f"{CLIENT_CA}='{authorities}' holds no PEM certificate (")


def test_nothing_that_can_be_printed_or_logged_holds_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    access = Access(users=written(tmp_path, "ann:hunter2"), tokens=written(tmp_path, "hunter3", "tokens"))
    access.allows(basic("ann", "hunter4"))
    access.allows("Bearer hunter3")
    shown = f"{access!r} {vars(access)!r} {vars(access._users)!r} {vars(access._tokens)!r}{caplog.text}"
    assert "hunter" not in shown
