"""What must not leave the process: the names of fields that are masked, the patterns that are masked in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

REDACTED: Final = "[redacted]"

# Compared without case, `-`, `_`, `.` and spaces, so that X-Api-Key, x_api_key and xApiKey are one name.
NAMES: Final = frozenset(("userpwd", "securitycode", "ccnumber", "credentials", "cookies"))
# A name that ends so, or so with a number, is masked too: db_password, password2, refresh_token, HTTP_AUTHORIZATION,
# Set-Cookie. Plurals are not: max_tokens is a number that people need.
ENDINGS: Final = (
    "password", "passwordconfirm", "passwordconfirmation", "passwd", "passphrase", "passcode", "secret", "token",
    "apikey", "privatekey", "secretkey", "accesskey", "accountkey", "authorization", "cookie", "cardnumber",
    "creditcard",
)  # fmt: skip
# Where a list goes on is no secret.
PAGES: Final = ("pagetoken", "nexttoken", "continuationtoken")
# Words that are masked as the last one of a name only: a compass has no password. With a dot, session.id is an
# attribute of OpenTelemetry's conventions that opens nothing.
_LAST: Final = re.compile(
    r"(?:\A|[-_. ])(?:pass|pwd|otp(?:[-_ ]?code)?|pin|cvv|cvc|jwt|j?session[-_ ]?id|phpsessid)\Z", re.ASCII
).search
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])", re.ASCII)
_SQUASH: Final = str.maketrans("", "", "-_. ")
_VERDICTS_LIMIT: Final = 4096

# A lower-case text without any of these has no `name: value` to mask: one quick search instead of many, and by first
# letters, of which few others than these would slow it.
_HINTS: Final = (
    r"p(?:ass|wd|rivate|hpsess|in(?![a-z]))|s(?:ecret|ig(?:nature)?=|ession[-_]?id)|t(?:oken|p(?<=otp))"
    r"|a(?:pi[-_]?key|cc(?:ess|ount)[-_]?key|uthoriz)|c(?:ookie|ard|vv|vc|urity|redent)|jwt"
)
_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))

# What stands between a name and its value: a number (password2), the bracket of a form's field (user[password]), `=`,
# `:`, `=>`, with the quotes of JSON, of Python and of JSON within JSON, or all of it as a URL within a URL has it.
_CLOSED: Final = r"[0-9]{0,4}(?:\]|%(?:25)?5d)?(?:\\{0,8}[\"']|%(?:25)?2[27])?"
_JOIN: Final = rf"{_CLOSED}[ \t]{{0,8}}(?:=>|[:=]{{1,2}}|%(?:25)?3[ad])[ \t]{{0,8}}"
# Where a short word begins: not within another one but at its hump (dbPass), or behind what a URL or the text of a text
# have for a character.
_BEGINS: Final = r"(?:(?<![a-z0-9])|(?-i:(?<=[a-z0-9])(?=[A-Z]))|(?<=%[0-9a-f]{2})|(?<=\\[nrt]))"
_KEYS: Final = (
    r"password(?:[-_]?confirm(?:ation)?)?|passwd|passphrase|passcode|secret"
    r"|token(?<!page[-_]token)(?<!pagetoken)(?<!next[-_]token)(?<!nexttoken)"
    r"(?<!continuation[-_]token)(?<!continuationtoken)"
    r"|api[-_]?key|private[-_]?key|secret[-_]?key|(?:access|account)[-_]?key|card[-_]?number|credit[-_]?card(?:[-_]?number)?"
    r"|(?<=[?&])(?:x-(?:amz|goog)-)?sig(?:nature)?"  # of a signed URL
)
_SHORT: Final = r"(?:user)?pwd|cvv|cvc|security[-_]?code|jwt|j?session[-_]?id|phpsessid"
_WEAK: Final = r"(?:pass|otp(?:[-_]?code)?|pin)(?![ \t]{1,4}[0-9]{1,3}(?:\s|\Z))"
# These say something else as well: PASS: test_a, pass=12 of a run of tests, pin: 17 of a board. What is secret stands
# behind `=`, a quoted name or, of digits, behind `:`, and is no number of three digits.
_MEANT: Final = (
    rf"{_WEAK}(?=[0-9]{{0,4}}(?:\]|%|\\{{0,8}}[\"']|[ \t]{{0,8}}=|(?<!pass)[ \t]?:[ \t]?[0-9]))"
    rf"(?!{_JOIN}[\"']?[0-9]{{1,3}}(?:[\s,;:.%/)\]}}&\"'|]|\Z))"
)
# A quoted value ends at its quote; one that is never closed ends with the line. No part can match in two ways, and what
# is searched for is consumed, so the cost stays linear in the length of the text.
_QUOTED: Final = (
    r"\"(?:[^\"\\\r\n]|\\.)*\"?|'(?:[^'\\\r\n]|\\.)*'?"
    r"|(?P<back>\\{1,8})(?P<quote>[\"'])(?:(?!(?<!\\)(?P=back)(?P=quote))[^\r\n])*"
)
_PREFIX: Final = r"(?:[bfru]{1,2}(?=[\"']))?"
# A value that is not quoted ends where the next pair begins, whose value may be a secret too. Within it a quote stands
# before a letter: pa'ss, Secret('pass').
_WORD: Final = r"(?:[^\s&\"',;]+|[,;](?![\w.-]{1,64}[=:]))+"
_BARE: Final = rf"(?:(?:basic|bearer)[ \t]{{1,8}})?{_WORD}(?:[\"']+(?=\w){_WORD})*"
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
# SQLAlchemy takes passwords with `/`, `?` and `#` in them; a port is none.
_URL: Final = re.compile(
    r"(?<=://)(?P<user>[^\s/?#@:\"'\[]{0,256}):(?:[^\s/?#\"']{1,1024}|(?![0-9]{1,5}[/?#,;])(?:[^\s@:\"']|:(?!//)){1,1024})@"
)
# No name and password but one text that is long, with digits in it, as tokens are.
_URL_TOKEN: Final = re.compile(r"(?<=://)(?=[\w-]{0,256}[0-9])[\w-]{20,256}@", re.ASCII)
_BEARER: Final = re.compile(r"\b(?P<key>(?:bearer|basic)[ \t]{1,8})(?=[a-z._~+/-]{0,256}[0-9=])[\w.~+/-]{8,}=*", _FLAGS)
_JWT: Final = re.compile(
    r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?", re.ASCII
)
_PEM: Final = re.compile(
    r"(?P<key>-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----)(?:[^-]+|-(?!----))*"
    r"(?:-----END [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----)?"
)
# Tokens that their form alone tells, of GitHub, npm, Stripe, Slack, GitLab, OpenAI, Anthropic, AWS and Google; whose
# they are stays. Each is found by its `_`, `-` or `A`: few places of a text have to be looked at.
_FORMED: Final = re.compile(
    r"(?P<key>[_A-](?:"
    r"(?:(?<=gh[pousr]_)|(?<=github_)pat_)(?=[A-Za-z0-9]{20}|[0-9]{1,20}_eyJ)"
    r"|(?<=npm_)(?=[A-Za-z0-9]{36})"
    r"|(?<=[rs]k_)(?:(?<![a-z][rs]k_)|(?<=\\[nrt][rs]k_))(?:live|test)_(?=[A-Za-z0-9]{16})"
    r"|(?<=xox[a-eprs]-)(?=[\w%-]{10})|(?<=xapp-)(?=[0-9]-[A-Z0-9]{8})|(?<=glpat-)(?=[\w-]{20})"
    r"|(?<=sk-)(?:(?<![a-z]sk-)|(?<=\\[nrt]sk-))(?=(?:proj|ant|svcacct)-[\w-]{20})"
    r"|(?<=A)[KS]IA(?=[A-Z0-9]{16}(?![A-Za-z0-9]))|(?<=A)Iza(?=[\w-]{35}(?![\w-]))"
    r"))[\w%-]+(?:\.[\w-]+)*",
    re.ASCII,
)
# SQL: PASSWORD 'x', PASSWORD('x'), SET PASSWORD FOR 'bob'@'%' = 'x', IDENTIFIED WITH a BY 'x'; also: password "x".
_NAMED: Final = r"['\"`]?[\w.%-]{1,64}['\"`]?"
_SQL: Final = re.compile(
    rf"(?P<key>passw(?:or)?d(?:(?:\s{{1,40}}for\s{{1,40}}{_NAMED}(?:@{_NAMED})?\s{{0,40}}=)?\s{{1,40}}|\s?\(\s?)"
    rf"(?:[en]|u&)?|(?P<by>identified\s{{1,40}}(?:with\s{{1,40}}{_NAMED}\s{{1,40}})?(?:by|as)\s{{1,40}}(?:password\s{{1,40}})?))"
    rf"(?=\\{{0,8}}[\"'][^\s),;\]}}\"'])(?P<value>{_QUOTED})",
    _FLAGS,
)
_STATEMENT: Final = re.compile(r"\b(?:create|alter|grant)\s", _FLAGS).search
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
_EMPTY: Final = frozenset(
    ("", "[", "{", "(", "none", "null", "true", "false", "***", "-----begin", REDACTED, REDACTED[:-1])
)
# What is said of a value that is wrong, as in `password: required` and `password: too short`.
_SAID: Final = frozenset((
    "required", "missing", "invalid", "empty", "blank", "expired", "wrong", "incorrect", "too", "must", "is", "not",
    "cannot", "should", "field", "this",
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
        short = "|".join((_SHORT, *map(_spelled, own)))
        meant = rf"{_KEYS}|{_BEGINS}(?:{short}|{_MEANT}|credentials(?={_JOIN}[\[({{]))"
        self._generic = re.compile(rf"(?P<key>(?:{meant}){_JOIN}{_PREFIX})(?P<value>{_QUOTED}|{_MANY}|{_BARE})", _FLAGS)
        ended = rf"(?:{_KEYS}|{_BEGINS}(?:{short}|{_WEAK})|cookie|authorization)[0-9]{{0,4}}"
        self._option = re.compile(
            rf"(?P<key>--(?:[a-z0-9]{{1,32}}[-_.]){{0,4}}[a-z0-9]{{0,32}}?{ended}[ \t]{{1,4}})(?!-)"
            rf"(?P<value>{_QUOTED}|{_BARE})",
            _FLAGS,
        )
        name = rf"[\w.-]{{0,64}}?{ended}"
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
        self._hinted = re.compile("|".join((_HINTS, *sorted({_spelled(name[:3]) for name in own})))).search

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
        may_hold = may_hold or (("(" in text or "[" in text) and bool(_OPENED(text)))
        if may_hold or "'" in text or '"' in text:
            lower = text.lower()
            if "://" in text:
                text = _URL_TOKEN.sub(f"{REDACTED}@", _URL.sub(rf"\g<user>:{REDACTED}@", text))
            if may_hold and self._hinted(lower):
                text = self._masked_pairs(text)
            if "passw" in lower or "identified" in lower:
                text = _SQL.sub(_masked_statement, text)
        if "earer" in text or "asic" in text or "BE" in text or "BASIC" in text:
            text = _BEARER.sub(_masked_credentials, text)
        if length > 19 and ("_" in text or "-" in text or "A" in text):
            text = _FORMED.sub(_masked_credentials, text)
        if "eyJ" in text:
            text = _JWT.sub(REDACTED, text)
        if length >= 13 and len(text.encode("ascii", "ignore").translate(None, _NO_DIGITS)) >= 13:
            text = _CARD.sub(_masked_card, text)
        return text

    def _masked_pairs(self, text: str) -> str:
        if "PRIVATE KEY" in text:  # before a name's value ends with the first word of it
            text = _PEM.sub(_masked_credentials, text)
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
    """Return the pattern of a user's own name, separators within it; isin is not found in `is in`."""
    return "[-_.]?".join(map(re.escape, name[:3])) + "".join("[-_. ]?" + re.escape(letter) for letter in name[3:])


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


def _masked_statement(match: re.Match[str]) -> str:
    """Mask the password of an SQL statement; what is identified by something else in an English sentence stays."""
    start = match.start()
    if match["by"] and match["by"][1] == "d" and not _STATEMENT(match.string, max(start - 256, 0), start):
        return match[0]
    return _masked_value(match)


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
        begins = digits[0] in "3456" or "2221" <= digits[:4] <= "2720"
        if 13 <= len(digits) <= 19 and begins and passes_luhn(digits):
            return re.sub("[0-9]", "*", number[:-4]) + number[-4:] + after
    return text
