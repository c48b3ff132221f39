"""What must not leave the process: the names of fields that are masked, the patterns that are masked in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from otel_distro.redaction_patterns import (
    AUTHORIZATION,
    BEARER,
    CARD,
    COOKIE,
    FORMED,
    JWT,
    NEXT_PAIR,
    OPENED,
    PATH,
    PEM,
    SQL,
    STATEMENT,
    STATUS,
    URL,
    URL_TOKEN,
    USER,
    bound,
    inputs,
    issued,
    named,
)

REDACTED: Final = "[redacted]"

# Compared without case, `-`, `_`, `.` and spaces, so that X-Api-Key, x_api_key and xApiKey are one name.
NAMES: Final = frozenset(("userpwd", "securitycode", "ccnumber", "credentials", "cookies"))
# A name that ends so, or so with a number, is masked too: db_password, password2, refresh_token, HTTP_AUTHORIZATION,
# Set-Cookie. Plurals are not: max_tokens is a number that people need.
ENDINGS: Final = (
    "password", "passwordconfirm", "passwordconfirmation", "passwordhash", "passworddigest", "passwd", "passphrase",
    "passcode", "secret", "secretstring", "secretbinary", "token", "apikey", "privatekey", "secretkey", "accesskey",
    "accountkey", "signingkey", "encryptionkey", "fernetkey", "hmackey", "sharedkey", "masterkey", "sessionkey",
    "authorization", "cookie", "cardnumber", "creditcard",
)  # fmt: skip
# Where a list goes on is no secret.
PAGES: Final = ("pagetoken", "nexttoken", "continuationtoken")
# Words that are masked as the last one of a name only: a compass has no password. With a dot, session.id is an
# attribute of OpenTelemetry's conventions that opens nothing.
_LAST: Final = re.compile(
    r"(?:\A|[-_. ])(?:pass|pwd|pw|otp(?:[-_ ]?code)?|pin|cvv|cvc|jwt|j?session[-_ ]?id|phpsessid)\Z", re.ASCII
).search
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])", re.ASCII)
_SQUASH: Final = str.maketrans("", "", "-_. ")
_VERDICTS_LIMIT: Final = 4096
_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))
_EMPTY: Final = frozenset(
    ("", "[", "{", "(", "none", "null", "true", "false", "***", "?", "%s", "-----begin", REDACTED, REDACTED[:-1])
)
# What is said of a value that is wrong, as in `password: required` and `password: too short`.
_SAID: Final = frozenset((
    "required", "missing", "invalid", "empty", "blank", "expired", "wrong", "incorrect", "too", "must", "is", "not",
    "cannot", "should", "field", "this", "denied", "declined", "rejected", "revoked", "malformed", "unknown", "failed",
    "yes", "no", "str",
))  # fmt: skip


class Redactor:
    """Mask secrets: values of fields with certain names, and patterns in texts.

    `names` are further names of fields, in any case and with `-` or `_`. Pure: nothing is read or kept but a bounded
    cache of names, so one instance serves all threads and survives a fork.
    """

    __slots__ = ("_elements", "_generic", "_hinted", "_names", "_option", "_pairs", "_verdicts")

    def __init__(self, names: Iterable[str] = ()) -> None:
        own = sorted({squashed(name) for name in names} - {""})
        self._names = NAMES.union(own)
        self._verdicts: dict[str, bool] = {}
        self._generic, self._option, self._elements, self._pairs, self._hinted = named(own)

    def hides(self, name: str) -> bool:
        """Say whether the value of a field of this name is masked."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            short = squashed(name)
            bare = short.rstrip("0123456789")
            verdict = (
                short in self._names
                or bare in self._names
                or (bare.endswith(ENDINGS) and not bare.endswith(PAGES))
                or bool(_LAST(_HUMP.sub("_", name).lower().rstrip("0123456789")))
            )
            if len(self._verdicts) < _VERDICTS_LIMIT and len(name) <= 256:
                self._verdicts[name] = verdict
        return verdict

    def text(self, text: str) -> str:
        """Return the text with its secrets masked; a text without any comes back as it is, at little cost."""
        length = len(text)
        if length < 13 and text.isalnum():  # no number of a card, and nothing between a name and its value
            return text
        may_hold = ":" in text or "=" in text or "--" in text or "</" in text
        may_hold = may_hold or "%3" in text or (("(" in text or "[" in text) and bool(OPENED(text)))
        if may_hold or "'" in text or '"' in text:
            lower = text.lower()
            if "://" in text:
                text = URL_TOKEN.sub(f"{REDACTED}@", URL.sub(rf"\g<user>:{REDACTED}@", text))
            if may_hold and self._hinted(lower):
                text = self._masked_pairs(text)
            if "passw" in lower or "identified" in lower:
                text = SQL.sub(_masked_statement, text)
        if "earer" in text or "asic" in text or "BE" in text or "BASIC" in text:
            text = BEARER.sub(_masked_credentials, text)
        # What `FORMED` finds has one of these: to look for them costs less than to look at each `_`, `-` and `A`.
        if length > 19 and (
            ("_" in text and ("gh" in text or "pat_" in text or "npm_" in text or "k_live_" in text or "k_test_" in text
                              or "whsec_" in text or "hf_" in text))
            or ("-" in text and ("sk-" in text or "xox" in text or "xapp-" in text or "glpat-" in text
                                 or "pypi-" in text or "GOCSPX-" in text))
            or ("A" in text and ("KIA" in text or "SIA" in text or "AIz" in text))
            or ("/" in text and ("s/T" in text or "s/E" in text or "ebhook" in text or "/bot" in text))
            or "SG." in text or "ya29." in text or "hvs." in text or "Q~" in text
        ):  # fmt: skip
            text = FORMED.sub(_masked_credentials, text)
        if "eyJ" in text:
            text = JWT.sub(REDACTED, text)
        if length >= 13 and len(text.encode("ascii", "ignore").translate(None, _NO_DIGITS)) >= 13:
            text = CARD.sub(_masked_card, text)
        return text

    def _masked_pairs(self, text: str) -> str:
        if "[parameters: " in text:  # before `password = ?` has a mask for its parameter
            text = "[SQL: ".join(map(_masked_parameters, text.split("[SQL: ")))
        if "PRIVATE KEY" in text:  # before a name's value ends with the first word of it
            text = PEM.sub(_masked_credentials, text)
        text = COOKIE.sub(_masked_line, text)
        text = AUTHORIZATION.sub(_masked_header, text)
        text = self._generic.sub(_masked_pair, text)
        if "--" in text:
            text = self._option.sub(_masked_value, text)
        if "curl" in text:
            text = USER.sub(_masked_user, text)
        if OPENED(text) or "alue" in text:
            text = self._pairs.sub(_masked_value, text)
        if "</" in text:
            text = self._elements.sub(_masked_credentials, text)
        if "input_value=" in text:
            text = inputs().shown.sub(_masked_credentials, text)
        if "loc" in text and "input" in text:
            text = inputs().listed.sub(_masked_value, text)
        return text


@cache
def default_redactor() -> Redactor:
    """Return the redactor with the default names only."""
    return Redactor()


def redact_text(text: str) -> str:
    """Return the text with its secrets masked by the default names and patterns."""
    return default_redactor().text(text)


def squashed(name: str) -> str:
    """Return the name as names are compared: lower case, without `-`, `_`, `.` and spaces."""
    return name.lower().translate(_SQUASH)


def _masked_credentials(match: re.Match[str]) -> str:
    return match["key"] + REDACTED


def _masked_line(match: re.Match[str]) -> str:
    return _masked(match["key"], match["value"], whole=True)


def _masked_header(match: re.Match[str]) -> str:
    return _masked(match["key"], match["value"], whole=bool(match["whole"]))


def _masked_value(match: re.Match[str]) -> str:
    return _masked(match["key"], match["value"], whole=False)


def _masked_pair(match: re.Match[str]) -> str:
    start = match.start()
    if STATUS.fullmatch(match["value"]) and PATH.search(match.string, max(start - 64, 0), start):
        return match[0]
    return match["key"] + REDACTED if match["many"] else _masked_value(match)


def _masked_statement(match: re.Match[str]) -> str:
    """Mask the password of an SQL statement; what is identified by something else in an English sentence stays."""
    start = match.start()
    if match["by"] and match["by"][1] == "d" and not STATEMENT(match.string, max(start - 256, 0), start):
        return match[0]
    return _masked_value(match)


def _masked_user(match: re.Match[str]) -> str:
    start = match.start()
    return _masked_credentials(match) if "curl" in match.string[max(start - 256, 0) : start].lower() else match[0]


def _masked_parameters(text: str) -> str:
    """Mask what SQLAlchemy shows as parameters without names where one of them is for a secret column."""
    statement, between, rest = text.partition("]\n[parameters: ")
    if rest[:1] not in ("(", "["):
        return text
    columns, _, values = statement.partition("VALUES")
    listed, compared = bound()
    if not (compared.search(statement) or (values and listed.search(columns))):
        return text
    return statement + between + REDACTED + "]" + "".join(rest.partition("\n")[1:])


def _masked(key: str, value: str, whole: bool) -> str:
    """Put the mask in the place of a value, and keep the quotes and the punctuation around it."""
    before = after = ""
    bare = value.lstrip("\\")
    if bare[:1] in ("'", '"'):
        before = value[: len(value) - len(bare) + 1]
        value = bare[1:]
        if value.endswith(before):
            value, after = value[: -len(before)], before
    elif not whole:
        pair = NEXT_PAIR.search(value)
        kept = value[: pair.start()] if pair else value
        kept = kept.rstrip(",;)]}>")
        value, after = kept, value[len(kept) :]
        if value.rstrip(".!").lower() in _SAID and re.search(r":[ \t]+\Z", key):
            return key + value + after
    if value.lower() in _EMPTY:
        return key + before + value + after
    return key + before + REDACTED + after


def _masked_card(match: re.Match[str]) -> str:
    """Mask a card number but for its last four digits; another number stays."""
    text, rest = match[0], match["rest"] or ""
    for number, after in ((text, ""), (text[: len(text) - len(rest)], rest)):
        digits = number.replace(" ", "").replace("-", "")
        if issued(digits):
            return re.sub("[0-9]", "*", number[:-4]) + number[-4:] + after
    return text
