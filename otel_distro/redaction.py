"""What must not leave the process: the names of fields that are masked, the patterns that are masked in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

REDACTED: Final = "[redacted]"

# Compared without case, `-`, `_`, `.` and spaces, so that X-Api-Key, x_api_key and xApiKey are one name.
NAMES: Final = frozenset(
    ("pwd", "userpwd", "cvv", "cvc", "securitycode", "ccnumber", "credentials", "jwt", "sessionid", "cookies")
)
# A name that ends so, or so with a number, is masked too: db_password, password2, refresh_token, HTTP_AUTHORIZATION,
# Set-Cookie. Plurals are not: max_tokens is a number that people need.
ENDINGS: Final = (
    "password", "passwordconfirm", "passwordconfirmation", "passwd", "passphrase", "secret", "token", "apikey",
    "privatekey", "secretkey", "accesskey", "accountkey", "authorization", "cookie", "cardnumber", "creditcard",
    "creditcardnumber",
)  # fmt: skip
_SQUASH: Final = str.maketrans("", "", "-_. ")
_VERDICTS_LIMIT: Final = 4096

# A lower-case text without any of these has no `name: value` to mask: one quick search instead of many.
_HINTS: Final = (
    "pass", "pwd", "secret", "token", "apikey", "api_key", "api-key", "private", "accesskey", "access_key",
    "access-key", "accountkey", "account_key", "account-key", "sig=", "signature=", "authoriz", "cookie", "card",
    "cvv", "cvc", "curity", "jwt", "sessionid", "session_id", "session-id", "://",
)  # fmt: skip
_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))

_KEYS: Final = (
    r"password(?:[-_]?confirm(?:ation)?)?|passwd|passphrase|secret|token"
    r"|api[-_]?key|private[-_]?key|secret[-_]?key|(?:access|account)[-_]?key|card[-_]?number|credit[-_]?card(?:[-_]?number)?"
    r"|(?<=[?&])(?:x-(?:amz|goog)-)?sig(?:nature)?"  # of a signed URL
    r"|(?<![a-z0-9])(?:pwd|cvv|cvc|security[-_]?code|jwt|session[-_]?id)"
)
# What stands between a name and its value: a number (password2), the bracket of a form's field (user[password]), `=`,
# `:`, `=>`, with the quotes of JSON, of Python and of JSON within JSON.
_JOIN: Final = r"[0-9]{0,4}(?:\]|%5d)?(?:\\{0,8}[\"'])?[ \t]{0,8}(?:=>|[:=]{1,2})[ \t]{0,8}"
# A quoted value ends at its quote; one that is never closed ends with the line. No part can match in two ways, and what
# is searched for is consumed, so the cost stays linear in the length of the text.
_QUOTED: Final = (
    r"\"(?:[^\"\\\r\n]|\\.)*\"?|'(?:[^'\\\r\n]|\\.)*'?"
    r"|(?P<back>\\{1,8})(?P<quote>[\"'])(?:(?!(?<!\\)(?P=back)(?P=quote))[^\r\n])*"
)
_PREFIX: Final = r"(?:b(?=[\"']))?"
# Within a value that is not quoted a quote stands before a letter: pa'ss, Secret('pass').
_BARE: Final = r"[^\s&\"']+(?:[\"']+(?=\w)[^\s&\"']+)*"
# Lists and objects of texts, as Python and JSON write them, closed or not; deeper ones end at their second level.
_PLAIN: Final = r"[^\[\](){}\"'\r\n]+|\"(?:[^\"\\\r\n]|\\.)*\"?|'(?:[^'\\\r\n]|\\.)*'?"
_INNER: Final = rf"[\[({{](?:{_PLAIN})*[\])}}]?"
_MANY: Final = (
    rf"(?=[\[({{][\[({{ ]{{0,4}}b?[\"'])(?P<many>[\[({{](?:{_PLAIN}|[\[({{](?:{_PLAIN}|{_INNER})*[\])}}]?)*[\])}}]?)"
)
_FLAGS: Final = re.IGNORECASE

_COOKIE: Final = re.compile(
    rf"(?P<key>cookie(?:s(?={_JOIN}[{{\[(<]))?{_JOIN}{_PREFIX})(?P<value>{_QUOTED}|[^\r\n]+)", _FLAGS
)
_AUTHORIZATION: Final = re.compile(
    rf"(?P<key>authorization{_JOIN}{_PREFIX})(?P<value>{_QUOTED}|(?:digest|oauth|hawk|aws4-hmac-sha256)[ \t][^\r\n]*"
    r"|(?:(?:basic|bearer|token|apikey|negotiate|ntlm|jwt|key)[ \t]{1,8})?[^\s\"']+)",
    _FLAGS,
)
_URL: Final = re.compile(r"(?<=://)(?P<user>[^\s/?#@:\"']{0,256}):[^\s/?#\"']{1,1024}@")
# No name and password but one text that is long, with digits in it, as tokens are.
_URL_TOKEN: Final = re.compile(r"(?<=://)(?=[\w-]{0,256}[0-9])[\w-]{20,256}@", re.ASCII)
_BEARER: Final = re.compile(r"\b(?P<key>(?:bearer|basic)[ \t]{1,8})(?=[a-z._~+/-]{0,256}[0-9=])[\w.~+/-]{8,}=*", _FLAGS)
_JWT: Final = re.compile(r"(?<![\w-])eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?", re.ASCII)
_PEM: Final = re.compile(
    r"(?P<key>-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----)(?:[^-]+|-(?!----))*"
    r"(?:-----END [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----)?"
)
_OPENED: Final = re.compile(r"[(\[]b?[\"']").search
# The status of a request to a path that ends with a name: POST /oauth/token: 401.
_PATH: Final = re.compile(r"/[\w.-]{0,64}\Z", re.ASCII)
_STATUS: Final = re.compile(r"[1-5][0-9]{2}\W?", re.ASCII)
_NEXT_PAIR: Final = re.compile(r"[,;](?=[\w.-]{1,64}[=:])")
# 13 to 19 digits that begin as cards do, in one piece or in the groups that are printed on them; not a part of a
# longer number, word or float.
_CARD: Final = re.compile(
    r"(?<![0-9A-Za-z_+])(?<![0-9][-.])(?:"
    r"(?:[3-6][0-9]{12,18}|2[2-7][0-9]{14})"
    r"|[2-6][0-9]{3}(?P<gap>[ -])[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{1,4}(?P<rest>(?P=gap)[0-9]{3})?"
    r"|3[0-9]{3}(?P<space>[ -])[0-9]{6}(?P=space)[0-9]{4,5}"
    r")(?![0-9A-Za-z_])(?![-.][0-9])"
)
_EMPTY: Final = frozenset(("", "[", "{", "(", "none", "null", "true", "false", "***", REDACTED, REDACTED[:-1]))


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
        keys = _KEYS
        if own:
            keys += "|(?<![a-z0-9])(?:" + "|".join(map(_spelled, own)) + ")"
        self._generic = re.compile(rf"(?P<key>(?:{keys}){_JOIN}{_PREFIX})(?P<value>{_QUOTED}|{_MANY}|{_BARE})", _FLAGS)
        self._option = re.compile(
            rf"(?P<key>--(?:[a-z0-9]{{1,32}}[-_]){{0,4}}(?:{keys})[ \t]{{1,4}})(?!-)(?P<value>{_QUOTED}|{_BARE})",
            _FLAGS,
        )
        name = rf"[\w.-]{{0,64}}?(?:{keys}|cookie|authorization)[0-9]{{0,4}}"
        self._elements = re.compile(
            rf"(?P<key><(?:[\w.-]{{1,64}}:)?{name}(?:[ \t][^<>]{{0,256}})?>)"
            r"(?P<value>(?:<!\[CDATA\[)?[^<>]+(?:\]>)?)(?=</)",
            _FLAGS,
        )
        # Header lists as Python and JSON have them: ('Cookie', 'a=b'), (b'authorization', b'...'), [["Cookie", "a=b"]],
        # for ["password", "user"] alone are names; {"name": "password", "value": ".."}; <input name="token" value="x">.
        self._pairs = re.compile(
            rf"(?P<key>(?:(?:\(|(?<=[\[,])\[|(?<=[\[,] )\[)b?[\"']{name}[\"'],"
            rf"|\b(?:name|key)[\"']?[ \t]?[:=][ \t]?[\"']{name}[\"'],?[ \t]{{0,4}}[\"']?value[\"']?[ \t]?[:=])"
            rf"[ \t]?{_PREFIX})(?P<value>{_QUOTED})",
            _FLAGS,
        )
        self._hinted = re.compile("|".join(map(re.escape, (*_HINTS, *sorted({name[:3] for name in own}))))).search

    def hides(self, name: str) -> bool:
        """Say whether the value of a field of this name is masked."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            short = squashed(name)
            bare = short.rstrip("0123456789")
            verdict = short in self._names or bare in self._names or bare.endswith(ENDINGS)
            if len(self._verdicts) < _VERDICTS_LIMIT and len(name) <= 256:
                self._verdicts[name] = verdict
        return verdict

    def text(self, text: str) -> str:
        """Return the text with its secrets masked; a text without any comes back as it is, at little cost."""
        if len(text) < 13 and text.isalnum():  # no number of a card, and nothing between a name and its value
            return text
        may_hold = ":" in text or "=" in text or "--" in text or "</" in text
        may_hold = may_hold or (("(" in text or "[" in text) and bool(_OPENED(text)))
        if may_hold and self._hinted(text.lower()):
            text = self._masked_pairs(text)
        if "earer" in text or "asic" in text or "BE" in text or "BASIC" in text:
            text = _BEARER.sub(_masked_credentials, _PEM.sub(_masked_credentials, text))
        if "eyJ" in text:
            text = _JWT.sub(REDACTED, text)
        if len(text) >= 13 and len(text.encode("ascii", "ignore").translate(None, _NO_DIGITS)) >= 13:
            text = _CARD.sub(_masked_card, text)
        return text

    def _masked_pairs(self, text: str) -> str:
        text = _URL_TOKEN.sub(f"{REDACTED}@", _URL.sub(rf"\g<user>:{REDACTED}@", text))
        text = _COOKIE.sub(_masked_line, text)
        text = _AUTHORIZATION.sub(_masked_value, text)
        text = self._generic.sub(_masked_pair, text)
        if "--" in text:
            text = self._option.sub(_masked_value, text)
        if _OPENED(text) or "value" in text:
            text = self._pairs.sub(_masked_value, text)
        if "</" in text:
            text = self._elements.sub(_masked_credentials, text)
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


def _spelled(name: str) -> str:
    """Return the pattern of a user's own name: separators may stand after the three letters that hint at it."""
    return re.escape(name[:3]) + "".join("[-_. ]?" + re.escape(letter) for letter in name[3:])


def passes_luhn(digits: str) -> bool:
    """Say whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _masked_credentials(match: re.Match[str]) -> str:
    return match["key"] + REDACTED


def _masked_line(match: re.Match[str]) -> str:
    return _masked(match["key"], match["value"], whole=True)


def _masked_value(match: re.Match[str]) -> str:
    return _masked(match["key"], match["value"], whole=False)


def _masked_pair(match: re.Match[str]) -> str:
    start = match.start()
    if _STATUS.fullmatch(match["value"]) and _PATH.search(match.string, max(start - 64, 0), start):
        return match[0]
    return match["key"] + REDACTED if match["many"] else _masked_value(match)


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
        pair = _NEXT_PAIR.search(value)
        kept = value[: pair.start()] if pair else value
        kept = kept.rstrip(",;)]}>")
        value, after = kept, value[len(kept) :]
    if value.lower() in _EMPTY:
        return key + before + value + after
    return key + before + REDACTED + after


def _masked_card(match: re.Match[str]) -> str:
    """Mask a card number but for its last four digits; another number stays."""
    text, rest = match[0], match["rest"] or ""
    for number, after in ((text, ""), (text[: len(text) - len(rest)], rest)):
        digits = number.replace(" ", "").replace("-", "")
        begins = digits[0] in "3456" or "2221" <= digits[:4] <= "2720"
        if 13 <= len(digits) <= 19 and begins and passes_luhn(digits):
            return re.sub("[0-9]", "*", number[:-4]) + number[-4:] + after
    return text
