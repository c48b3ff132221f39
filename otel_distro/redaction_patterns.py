"""What secrets look like in texts: the patterns by which `redaction` finds them, and what tells that there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, NamedTuple

# A lower-case text without any of these has no `name: value` to mask: one quick search instead of many, and by first
# letters, of which few others than these would slow it.
_HINTS: Final = (
    r"p(?:ass|w(?:d|(?![a-z]))|rivate|hpsess|in(?![a-z]))|s(?:ecret|ig(?:nature)?=|ession[-_]?id)|t(?:oken|p(?<=otp))"
    r"|auth(?:oriz|[\"']?[ \t]?[:=])|c(?:ookie|ard|vv|vc|ur(?:ity|l)|redent)|jwt"
    r"|key(?:(?<=(?:api|ess|unt|ing|ion|net|mac|red|ter)key)|(?<=(?:api|ess|unt|ing|ion|net|mac|red|ter)[-_ ]key))"
)

# What stands between a name and its value: a number (password2), the bracket of a form's field (user[password]), `=`,
# `:`, `=>`, with the quotes of JSON, of Python and of JSON within JSON, or all of it as a URL within a URL has it.
_CLOSED: Final = r"[0-9]{0,4}(?:\]|%(?:25)?5d)?(?:\\{0,8}[\"']|%(?:25)?2[27])?"
_JOIN: Final = rf"{_CLOSED}[ \t]{{0,8}}(?:=>|[:=]{{1,2}}|%(?:25)?3[ad])[ \t]{{0,8}}"
# Where a short word begins: not within another one but at its hump (dbPass), or behind what a URL or the text of a text
# have for a character.
_BEGINS: Final = r"(?:(?<![a-z0-9])|(?-i:(?<=[a-z0-9])(?=[A-Z]))|(?<=%[0-9a-f]{2})|(?<=\\[nrt]))"
_SIMPLE: Final = r"b?(?:'[^'\r\n]{0,256}'|\"[^\"\r\n]{0,256}\")"
# By its last word, which few texts have: what stands before it is looked at there alone. With a blank, as people write
# it, what follows is a key if it looks like one, and no place or state of a key.
_OF_KEYS: Final = ("api", "hmac", "secret|access|fernet|shared|master", "private|account|signing|session", "encryption")
_KEY: Final = (
    f"key(?:{'|'.join(rf'(?<=(?:{words})key)|(?<=(?:{words})[-_]key)' for words in _OF_KEYS)}"
    r"|(?:(?<=api key)|(?<=(?:secret|access) key)|(?<=private key))"
    rf"(?={_JOIN}[\"']?(?=[\w+/=.~-]{{0,64}}[0-9])\w[\w+/=.~-]{{7}}))"
)
_KEYS: Final = (
    r"password(?:[-_]?(?:confirm(?:ation)?|hash|digest))?|passwd|passphrase|passcode|secret(?:[-_]?(?:string|binary))?"
    # Behind the code or the class of an error stands what is said of a token.
    r"|token(?!(?:(?<=(?:invalid|missing)[-_]token)|(?<=(?:invalid|missing|xpected)token))(?-i:: [A-Z][a-z]{1,20} ))"
    r"(?<!expected token)(?<!page[-_]token)(?<!pagetoken)(?<!next[-_]token)(?<!nexttoken)"
    r"(?<!continuation[-_]token)(?<!continuationtoken)"
    rf"|{_KEY}"
    r"|card[-_]?number|credit[-_]?card(?:[-_]?number)?|<cookie [\w.-]{1,64}"
    # A pair of name and password, as of requests; no list of ways or scopes.
    rf"|auth(?={_JOIN}\({_SIMPLE},[ \t]?{_SIMPLE}\))"
    r"|(?<=[?&])(?:x-(?:amz|goog)-)?sig(?:nature)?"  # of a signed URL
)
_SHORT: Final = r"(?:user)?pwd|cvv|cvc|security[-_]?code|jwt|j?session[-_]?id|phpsessid"
_WEAK: Final = r"(?:pass|pw|otp(?:[-_]?code)?|pin)(?![ \t]{1,4}[0-9]{1,3}(?:\s|\Z))"
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
_WORD: Final = r"(?:[^\s&\"',;\\]+|[,;](?![\w.-]{1,64}[=:])|\\(?![rn](?:\\n)?[\w.-]{1,64}[=:]))+"
_BARE: Final = rf"(?:(?:basic|bearer)[ \t]{{1,8}})?{_WORD}(?:[\"']+(?=\w){_WORD})*"
# Lists and objects of texts, as Python and JSON write them, closed or not; deeper ones end at their second level.
_PLAIN: Final = r"[^\[\](){}\"'\r\n]+|\"(?:[^\"\\\r\n]|\\.)*\"?|'(?:[^'\\\r\n]|\\.)*'?"
_INNER: Final = rf"[\[({{](?:{_PLAIN})*[\])}}]?"
_MANY: Final = (
    rf"(?P<many>(?=[\[({{][\[({{ ]{{0,4}}b?[\"'])[\[({{](?:{_PLAIN}|[\[({{](?:{_PLAIN}|{_INNER})*[\])}}]?)*[\])}}]?"
    r"|[|>][+-]?\r?\n(?P<indent>[ \t]{1,64})[^\r\n]*(?:\r?\n(?P=indent)[^\r\n]*)*)"  # password: | in YAML
)
_FLAGS: Final = re.IGNORECASE

COOKIE: Final = re.compile(
    rf"(?P<key>cookie(?:s(?={_JOIN}[{{\[(<]))?{_JOIN}{_PREFIX})(?P<value>{_QUOTED}|[^\r\n]+)", _FLAGS
)
AUTHORIZATION: Final = re.compile(
    rf"(?P<key>authorization{_JOIN}{_PREFIX})(?P<value>{_QUOTED}"
    r"|(?P<whole>(?:digest|oauth|hawk|signature|aws4-hmac-sha256|token(?=[ \t]{1,8}token=))[ \t][^\r\n]*)"
    # Of another scheme, what is long and has a digit or `=` in it; other words go on with a sentence.
    r"|(?:(?:basic|bearer|token|apikey|negotiate|ntlm|jwt|key"
    r"|[a-z][\w-]{1,32}(?=[ \t]{1,8}(?=[^\s\"']{0,256}[0-9=])[^\s\"']{12}))[ \t]{1,8})?"
    r"(?:[^\s\"'\\]+|\\(?![rn]))+)",
    _FLAGS,
)
# SQLAlchemy takes passwords with `/`, `?` and `#` in them; a port is none.
URL: Final = re.compile(
    r"(?<=://)(?P<user>[^\s/?#@:\"'\[]{0,256}):(?:[^\s/?#\"']{1,1024}|(?![0-9]{1,5}[/?#,;])(?:[^\s@:\"']|:(?!//)){1,1024})@"
)
# No name and password but one text that is long, with digits in it, as tokens are.
URL_TOKEN: Final = re.compile(r"(?<=://)(?=[\w-]{0,256}[0-9])[\w-]{20,256}@", re.ASCII)
BEARER: Final = re.compile(r"\b(?P<key>(?:bearer|basic)[ \t]{1,8})(?=[a-z._~+/-]{0,256}[0-9=])[\w.~+/-]{8,}=*", _FLAGS)
JWT: Final = re.compile(
    r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?", re.ASCII
)
PEM: Final = re.compile(
    r"(?P<key>-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----)(?!\[redacted\])(?:[^-]+|-(?!----))*"
    r"(?:-----END [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----)?"
)
# Tokens that their form alone tells, of GitHub, npm, PyPI, Stripe, Slack, GitLab, SendGrid, Hugging Face, Vault,
# OpenAI, Anthropic, AWS, Azure and Google, and those in the path of a URL of Slack, Discord, Telegram and Teams, of
# which errors show the path alone; whose they are stays. Each is found by one character: few places are looked at.
FORMED: Final = re.compile(
    r"(?P<key>[_A.~/-](?:"
    r"(?:(?<=gh[pousr]_)|(?<=github_)pat_)(?=[A-Za-z0-9]{20}|[0-9]{1,20}_eyJ)"
    r"|(?<=npm_)(?=[A-Za-z0-9]{36})"
    r"|(?<=[rs]k_)(?:(?<![a-z][rs]k_)|(?<=\\[nrt][rs]k_))(?:live|test)_(?=[A-Za-z0-9]{16})"
    r"|(?<=xox[a-eprs]-)(?=[\w%-]{10})|(?<=xapp-)(?=[0-9]-[A-Z0-9]{8})|(?<=glpat-)(?=[\w-]{20})"
    r"|(?<=sk-)(?:(?<![a-z]sk-)|(?<=\\[nrt]sk-))(?=(?:proj|ant|svcacct)-[\w-]{20}|[A-Za-z0-9]{20}T3BlbkFJ)"
    r"|(?<=whsec_)(?=[A-Za-z0-9]{24})|(?<=hf_)(?:(?<![a-z]hf_)|(?<=\\[nrt]hf_))(?=[A-Za-z]{34}(?![A-Za-z0-9_]))"
    r"|(?<=pypi-)(?=AgE[\w-]{16})|(?<=GOCSPX-)(?=[\w-]{28})|(?<=[78]Q~)(?=[\w.~-]{31})"
    r"|(?<=SG\.)(?=[\w-]{22}\.[\w-]{43})|(?<=ya29\.)(?=[\w-]{20})|(?<=hvs\.)(?=[\w-]{24})"
    r"|(?<=A)[KS]IA(?=[A-Z0-9]{16}(?![A-Za-z0-9]))|(?<=A)Iza(?=[\w-]{35}(?![\w-]))"
    r"|(?<=/)(?:services/T[A-Z0-9]{5,16}/B[A-Z0-9]{5,16}/(?=[A-Za-z0-9]{20})"
    r"|(?:workflows|triggers)/[TE][A-Z0-9]{5,16}/[A-Z0-9]{5,32}/(?:[0-9]{5,32}/)?(?=[A-Za-z0-9]{20})"
    r"|webhooks/[0-9]{15,20}/(?=[\w-]{50})|IncomingWebhook/(?=[0-9A-Za-z]{32})|bot[0-9]{5,16}:(?=[\w-]{30}))"
    r"))[\w%-]+(?:[.~][\w-]+)*",
    re.ASCII,
)
# Of curl, behind which alone -u has a name and a password: -u bob:x, '--user', 'bob:x'.
USER: Final = re.compile(
    r"(?P<key>(?<![\w-])(?:-[A-Za-z]{0,8}u|--(?:proxy-)?user)(?:[ \t=]|[\"'],[ \t]?)(?P<open>[\"'])?[^\s:\"']{1,128}:)"
    r"(?P<value>(?(open)[^\"'\r\n]+|[^\s\"']+))"
)
# SQL: PASSWORD 'x', PASSWORD('x'), SET PASSWORD FOR 'bob'@'%' = 'x', IDENTIFIED WITH a BY 'x'; also: password "x".
_NAMED: Final = r"['\"`]?[\w.%-]{1,64}['\"`]?"
SQL: Final = re.compile(
    rf"(?P<key>passw(?:or)?d(?:(?:\s{{1,40}}for\s{{1,40}}{_NAMED}(?:@{_NAMED})?\s{{0,40}}=)?\s{{1,40}}|\s?\(\s?)"
    rf"(?:[en]|u&)?|(?P<by>identified\s{{1,40}}(?:with\s{{1,40}}{_NAMED}\s{{1,40}})?(?:by|as)\s{{1,40}}(?:password\s{{1,40}})?))"
    rf"(?=\\{{0,8}}[\"'][^\s),;\]}}\"'])(?P<value>{_QUOTED})",
    _FLAGS,
)
STATEMENT: Final = re.compile(r"\b(?:create|alter|grant)\s", _FLAGS).search
OPENED: Final = re.compile(r"[(\[]b?[\"']").search
# The status of a request to a path that ends with a name: POST /oauth/token: 401.
PATH: Final = re.compile(r"/[\w.-]{0,64}\Z", re.ASCII)
STATUS: Final = re.compile(r"[1-5][0-9]{2}\W?", re.ASCII)
NEXT_PAIR: Final = re.compile(r"[,;](?=[\w.-]{1,64}[=:])")
# 13 to 19 digits that begin as cards do, in one piece or in the groups that are printed on them; not a part of a
# longer number, word or float.
CARD: Final = re.compile(
    r"(?<![0-9A-Za-z_+])(?<![0-9][-.])(?:"
    r"(?:[3-6][0-9]{12,18}|2[2-7][0-9]{14})"
    r"|[2-6][0-9]{3}(?P<gap>[ -])[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{1,4}(?P<rest>(?P=gap)[0-9]{3})?"
    r"|3[0-9]{3}(?P<space>[ -])[0-9]{6}(?P=space)[0-9]{4,5}"
    r")(?![0-9A-Za-z_])(?![-.][0-9])"
)
# Numbers of these lengths are issued as cards: 15 digits of an IMEI (35), or the 13 of an EAN, are none.
_ISSUED: Final = re.compile(
    r"4(?:.{12}|.{15}|.{18})|3[47].{13}|3[0689].{12}|[356].{15,18}|(?:222[1-9]|22[3-9].|2[3-6]..|27[01].|2720).{12}"
).fullmatch


class Named(NamedTuple):
    """What finds a value by its name, and a search that tells of a lower-case text that it has no such name."""

    generic: re.Pattern[str]
    option: re.Pattern[str]
    elements: re.Pattern[str]
    pairs: re.Pattern[str]
    hinted: Callable[[str], re.Match[str] | None]


def named(own: Sequence[str]) -> Named:
    """Return the patterns for these names beside those that are always masked; `own` are as `squashed` gives them."""
    short = "|".join((_SHORT, *map(_spelled, own)))
    meant = rf"{_KEYS}|{_BEGINS}(?:{short}|{_MEANT}|credentials(?={_JOIN}[\[({{]))"
    generic = re.compile(rf"(?P<key>(?:{meant}){_JOIN}{_PREFIX})(?P<value>{_QUOTED}|{_MANY}|{_BARE})", _FLAGS)
    ended = _ended(short)
    option = re.compile(
        rf"(?P<key>--(?:[a-z0-9]{{1,32}}[-_.]){{0,4}}[a-z0-9]{{0,32}}?{ended}"
        # Or as a list of a command's words has it: ['psql', '--password', 'x'].
        rf"(?:[ \t]{{1,4}}(?!-)|\\{{0,8}}[\"'],[ \t]{{0,4}}{_PREFIX}(?=\\{{0,8}}[\"'](?!-))))"
        rf"(?P<value>{_QUOTED}|{_BARE})",
        _FLAGS,
    )
    name = rf"[\w.-]{{0,64}}?{ended}"
    then = r"(?:[\"'],?\s{0,64}|,?\s{1,64})"
    elements = re.compile(
        rf"(?P<key><(?:[\w.-]{{1,64}}:)?{name}(?:[ \t][^<>]{{0,256}})?>)"
        r"(?P<value>(?:<!\[CDATA\[)?[^<>]+(?:\]>)?)(?=</)",
        _FLAGS,
    )
    # Header lists as Python and JSON have them: ('Cookie', 'a=b'), (b'authorization', b'...'), [["Cookie", "a=b"]],
    # for ["password", "user"] alone are names; {"name": "password", "value": ".."}; <input name="token" value="x">,
    # in several lines and with a type between too, and as YAML has them.
    pairs = re.compile(
        rf"(?P<key>(?:(?:\(|(?<=[\[,])\[|(?<=[\[,] )\[)b?[\"']{name}[\"'],"
        rf"|\b(?:name|key)[\"']?[ \t]?[:=][ \t]?[\"']?/?(?:[\w.-]{{1,64}}/){{0,8}}{name}{then}"
        rf"(?:[\"']?type[\"']?[ \t]?[:=][ \t]?[\"']?\w{{1,32}}{then})?[\"']?value[\"']?[ \t]?[:=])"
        rf"[ \t]?{_PREFIX})(?P<value>{_QUOTED}|(?:(?<=[:=])|(?<=[:=] ))[^\s\"',;<>&\[\](){{}}]+)",
        _FLAGS,
    )
    hinted = re.compile("|".join((_HINTS, *sorted({_spelled(name[:3]) for name in own})))).search
    return Named(generic, option, elements, pairs, hinted)


class Inputs(NamedTuple):
    """What finds by its name a value that pydantic did not take: in its text, and in its list of errors."""

    shown: re.Pattern[str]
    listed: re.Pattern[str]


@cache
def inputs() -> Inputs:
    """Return the patterns of what pydantic says; few programs ever need them, so they are made with the first text."""
    ended = _ended(_SHORT)
    shown = re.compile(
        rf"(?P<key>^[ |]{{0,64}}[\w.-]{{0,128}}?{ended}(?:\.[^\n]{{0,128}})?\n"
        r"[^\n]{0,1024}?\[type=\w{1,64}, input_value=)[^\n]*?(?=, input_type=)",
        _FLAGS | re.MULTILINE,
    )
    listed = re.compile(
        rf"(?P<key>[\"']loc[\"']: ?[\[(][^\]):\n]{{0,128}}?[\"'][\w.-]{{0,32}}?{ended}[\"'][^\]):\n]{{0,128}}[\])], ?"
        r"[\"']msg[\"']: ?(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'), ?[\"']input[\"']: ?)"
        rf"(?P<value>{_QUOTED}|[^\s,\[\](){{}}]+)",
        _FLAGS,
    )
    return Inputs(shown, listed)


@cache
def bound() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds a secret column in the list of an INSERT, and one with a parameter behind `=`."""
    column = rf"{_ended(_SHORT)}[\"'`]?\s{{0,4}}"
    return re.compile(rf"{column}[,)]", _FLAGS), re.compile(rf"{column}=\s{{0,4}}(?:\?|%s|\$[0-9])", _FLAGS)


def issued(digits: str) -> bool:
    """Say whether a text of digits can be the number of a card, its check digit (ISO/IEC 7812-1, annex B) included."""
    return bool(_ISSUED(digits)) and passes_luhn(digits)


def passes_luhn(digits: str) -> bool:
    """Say whether the check digit of a card number is right."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _ended(short: str) -> str:
    return rf"(?:{_KEYS}|{_BEGINS}(?:{short}|{_WEAK})|cookie|authorization)[0-9]{{0,4}}"


def _spelled(name: str) -> str:
    """Return the pattern of a user's own name, separators within it; isin is not found in `is in`."""
    return "[-_.]?".join(map(re.escape, name[:3])) + "".join("[-_. ]?" + re.escape(letter) for letter in name[3:])
