"""Remove secrets from text before it is embedded or stored.

There are two lists of rules: the token shapes of detect-secrets, and `SECRETS` for shapes that it does not have. Only
the regular expressions of the library are used: its scanner needs files, settings and, to verify, the network. Every
rule reads a bounded stretch, or starts at most once in the stretch that it reads, so time is linear in the length.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache, lru_cache
from typing import Any, TypeVar
from uuid import UUID

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector
from pydantic import BaseModel

from behavior_plugin.model import OWN, Action, Turn

M = TypeVar("M", bound=BaseModel)

MASK = "[REDACTED]"
LEFT_OUT = "…"

# Characters, unless it says otherwise.
TRIGGER_LIMIT = 2_000
STRING_LIMIT = 500
ERROR_LIMIT = 500
PATH_LIMIT = 4_096
# A key of an index holds 2,700 bytes, and a character may be four.
PROJECT_LIMIT = 500
ACTIONS_LIMIT = 200  # the first half and the last half
FILES_LIMIT = 100
ENTRIES_LIMIT = 100
_LIMITS = {
    "prompt": TRIGGER_LIMIT,
    "error": ERROR_LIMIT,
    "directory": PATH_LIMIT,
    "root": PATH_LIMIT,
    "project": PROJECT_LIMIT,
    "files_touched": PATH_LIMIT,
}
_COUNTS = {"actions": ACTIONS_LIMIT, "files_touched": FILES_LIMIT}
# Characters read beyond a limit, so that a secret that lies across it is recognised.
MARGIN = 1_000


@dataclass(frozen=True)
class Secret:
    """A kind of secret: a regular expression whose groups (or all of it) are masked, and one it must catch.

    `is_secret` separates secrets from harmless values in the same place.
    """

    name: str
    regex: str
    example: str
    is_secret: Callable[[str], bool] = bool


@dataclass(frozen=True)
class Limits:
    """The size limits of a JSON value."""

    string: int  # characters
    entries: int  # of one dict or list
    depth: int  # dicts and lists inside each other


PARAMETERS = Limits(string=STRING_LIMIT, entries=20, depth=4)


def redact(text: str, limit: int | None = None) -> str:
    """Mask the secrets in a text, then cut it to `limit` characters.

    A secret that lies across the limit is masked whole. Terminal codes, control and invisible characters are
    dropped, since they hide secrets. Lone surrogates, which Postgres refuses too, become U+FFFD.
    """
    visible = _visible(text)
    if limit is None:
        return _masked(visible, _found(visible))
    return _masked(visible[:limit], _found(visible[: limit + MARGIN]))[:limit]


def redact_value(value: Any, limits: Limits) -> Any:
    """A JSON value without secrets, and no larger than the limits."""
    return _plain(value, limits, depth=0, name="")


def redact_turn(turn: Turn) -> Turn:
    """Redact and bound every text of a turn, but for those declared as our own (`model.OwnText`)."""
    return redact_model(turn.model_copy(update={"actions": _first_and_last(turn.actions)}))


def redact_model(model: M) -> M:
    """Redact and bound every text in a frozen model, at every depth.

    A text field needs no entry here to be redacted: one that is not listed gets the common limits.
    """
    fields = {name: getattr(model, name) for name in _redacted_fields(type(model))}
    return model.model_copy(update={name: _redacted(value, name) for name, value in fields.items()})


@cache
def _redacted_fields(kind: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name, field in kind.model_fields.items() if OWN not in field.metadata)


def _redacted(value: Any, name: str) -> Any:
    """The value of the field `name`."""
    match value:
        case None | bool() | int() | float() | Enum() | datetime() | UUID():
            return value
        case str():
            return redact(value, _LIMITS.get(name, STRING_LIMIT))
        case BaseModel():
            return redact_model(value)
        case tuple():
            return tuple(_redacted(item, name) for item in value[: _COUNTS.get(name, ENTRIES_LIMIT)])
    return redact_value(value, PARAMETERS)


def _first_and_last(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """The first and the last actions; the last one of the first half says how many are left out after it."""
    half = ACTIONS_LIMIT // 2
    if len(actions) <= ACTIONS_LIMIT:
        return actions
    note = {"actions left out after this one": len(actions) - 2 * half}
    last = actions[half - 1]
    return (
        *actions[: half - 1],
        last.model_copy(update={"parameters": {**note, **last.parameters}}),
        *actions[-half:],
    )


def _plain(value: Any, limits: Limits, *, depth: int, name: str) -> Any:
    """`name` is the key or option of the value."""
    match value:
        case dict() | list() | tuple() if depth == limits.depth:
            return LEFT_OUT
        case dict():
            return _plain_dict(value, limits, depth=depth + 1)
        case list() | tuple():
            return _plain_list(value, limits, depth=depth + 1)
        case None | bool():
            return value
        case int() if abs(value) >= 2**63:
            return LEFT_OUT  # Python refuses to print the longest ones
        case int() | float() if math.isfinite(value) and not NAMED_PASSWORD.search(name):
            return value
    text = str(value)
    return MASK if _is_secret_under(name, text) else redact(text, limits.string)


def _plain_dict(values: dict[Any, Any], limits: Limits, *, depth: int) -> dict[str, Any]:
    kept = list(values.items())[: limits.entries]
    plain = {redact(str(key), STRING_LIMIT): _plain(item, limits, depth=depth, name=str(key)) for key, item in kept}
    left_out = len(values) - len(kept)
    return {**plain, LEFT_OUT: f"{left_out} more"} if left_out else plain


def _plain_list(values: list[Any] | tuple[Any, ...], limits: Limits, *, depth: int) -> list[Any]:
    """In a command line that is a list, an option names the word after it."""
    kept = values[: limits.entries]
    options = ["", *(str(item) if str(item).startswith("-") else "" for item in kept)]
    plain = [_plain(item, limits, depth=depth, name=option) for item, option in zip(kept, options, strict=False)]
    left_out = len(values) - len(kept)
    return [*plain, f"{LEFT_OUT} {left_out} more"] if left_out else plain


def _is_secret_under(name: str, text: str) -> bool:
    if NAMED_PASSWORD.search(name):
        return _is_given(text)
    return NAMED_SECRET.search(name) is not None and _is_random(text)


TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
# Control characters but tab and line ends, soft hyphens, zero-width, bidirectional and tag characters.
INVISIBLE = re.compile(
    r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
SURROGATE = re.compile(r"[\ud800-\udfff]")


def _visible(text: str) -> str:
    return SURROGATE.sub("\N{REPLACEMENT CHARACTER}", INVISIBLE.sub("", TERMINAL_CODES.sub("", text)))


def _folded(text: str) -> str:
    """The text for the rules: each character in its plain form, in the same place, so that spans stay valid."""
    return text if text.isascii() else "".join(map(_plain_sign, text))


@lru_cache(maxsize=10_000)
def _plain_sign(sign: str) -> str:
    plain = unicodedata.normalize("NFKC", sign)
    return plain if len(plain) == 1 else sign


def _found(text: str) -> Iterator[tuple[int, int]]:
    """The spans of the secrets, (start, end), in no order."""
    folded = _folded(text)
    for rule, is_secret in RULES:
        for match in rule.finditer(folded):
            for group in _groups(match):
                if is_secret(match[group][:STRING_LIMIT]):
                    yield match.span(group)


def _groups(match: re.Match[str]) -> list[int]:
    """The groups that matched; 0, the whole match, for a rule without groups."""
    return [group for group in range(1, match.re.groups + 1) if match[group]] or [0]


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, done = [], 0
    for start, end in sorted(span for span in spans if span[0] < len(text)):
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:]])


# Placeholders in the place of a secret: $NAME, ${NAME}, {{ name }}, <name>, %(name)s, ***, xxxx.
REFERENCE = re.compile(r"[$<{%*#]|\[REDACTED|(?i:x{4}|your|process\.env|os\.environ|env\.)")
# aaaaaa, EXAMPLEEXAMPLEEXAMPLEEXAMPLE
FILLER = re.compile(r"(\w)\1{5}|(\w{2,8}?)\2{3}")
# config.token, ./token.json, /run/secrets/token, https://..., 2026-01-31
ORDINARY = re.compile(
    r"[A-Za-z_]\w{0,19}(?:\.[A-Za-z_]\w{0,19})*|(?:[~.]{0,2}/)?(?:[\w.@-]+/)+[\w.@*-]*|[\w./-]+\.[a-z]{2,5}"
    r"|\w{1,20}://.*|\d{4}-\d\d-\d\d.*"
)
PLAIN_WORD = re.compile(
    r"true|false|none|null|undefined|string|str|text|\w*(?:password|passwd|secret|token)\w*"
    r"|(?:self|this|args|config|settings|process|os)\..*|[~.]{0,2}/.*|\w{1,20}://.*|\d{1,5}",
    re.IGNORECASE,
)
# Changes between kinds of characters, which are rare in names that people choose: aB, A1, 1a.
CHANGE = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])")


def _is_given(value: str) -> bool:
    """Whether a value can be a password that a person chose: not a reference to one, a type or a path."""
    return not REFERENCE.match(value) and not PLAIN_WORD.fullmatch(value)


def _is_odd(value: str) -> bool:
    """The same in a place where prose may stand: the value has a digit or a special character as well."""
    return _is_given(value) and re.search(r"[\d!@#%^*?]", value) is not None and not ORDINARY.fullmatch(value)


def _is_own(value: str) -> bool:
    """Whether a value is not filler: less than half of it is repetition."""
    return 2 * sum(len(match[0]) for match in FILLER.finditer(value)) < len(value)


def _is_token(value: str) -> bool:
    """Whether a value that begins like a token can be one: it is more than words."""
    return _is_own(value) and (re.search(r"\d", value) is not None or len(CHANGE.findall(value)) >= 3)


def _is_random(value: str) -> bool:
    """Whether a value is machine-made: letters and digits in a disorder that names, paths and dates do not have."""
    if len(value) < 8 or REFERENCE.match(value) or not _is_token(value):
        return False
    if len(CHANGE.findall(value)) >= max(3, len(value) // 5):
        return True
    return not ORDINARY.fullmatch(value) and re.search(r"\d", value) is not None and not value.isdigit()


# A token does not start inside a word, but may follow an escaped line end or %3D.
START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-F]{2}))"
QUOTE = r"\\{0,3}[\"'`]"
VALUE = r"[^\s\"'`,;&|<>(){}\\]"
NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token(?!i[sz])|credential|authorization|session[_-]?cookie"
    r"|(?:api|access|account|admin|app|auth|client|db|database|deploy|encryption|licen[sc]e|master|private|pub"
    r"|public|secret|service|shared|signing|ssh|storage|webhook)[_.-]?key|access[_-]?id|sonar[_.-]?login"
    r"|[_-](?:pw|pass|auth|key)\b|\bkey\b)"
)
# name = value, "name": value, 'name' => value, name := value, ("name", "value"), <name>value
ASSIGNED = (
    rf"[\w.-]{{0,40}}(?:{QUOTE}|[\])}}]){{0,2}}(?:\s{{1,3}}string)?"
    rf"(?:\s{{0,4}}(?:[:?.+|]{{0,3}}={{1,3}}>?|:|,(?=\s{{0,3}}{QUOTE}))|>)\s{{0,20}}@?(?:{QUOTE})?"
)
NAMED_SECRET = re.compile(NAME, re.IGNORECASE)
NAMED_PASSWORD = re.compile(r"pass(?:word|wd|phrase)|\bpwd\b|^authorization$|^(?:set-)?cookie$", re.IGNORECASE)
PEM_BREAK = r"(?:\\+[nrt]|[\s\"',])"

SECRETS = (
    Secret(
        # Not possessive: before 3.11.5 Python takes a group's repetition so for a failure.
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[\s\S])*-----END [A-Z0-9 ]{0,50}-----",
        example="-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow==\n-----END RSA PRIVATE " + "KEY-----",
    ),
    Secret(
        "private key that is cut off",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rf"(?:{PEM_BREAK}*+[A-Za-z0-9+/=]{{16,}}+)*+(?:{PEM_BREAK}*+[A-Za-z0-9+/=]++{PEM_BREAK}*+\Z)?",
        example="-----BEGIN RSA PRIVATE " + "KEY-----\\nMIIEowIBAAKCAQEA1234567890",
    ),
    Secret(
        "token with a known beginning",
        START
        + r"(?:sk-(?=[\w-]{20})|[spr]k_(?:live|test)_|whsec_|gh[pousr]_|github_pat_|xox[a-z]-|xapp-|xoxe\.xox[bp]-"
        r"|gl(?:pat|ptt|dt|rt|ft|ffct|cbt|imt|agent|oas|soat)-|npm_|pypi-|hf_|api_org_|AIza|ya29\.|GOCSPX-|AQVN"
        r"|do[opr]_v1_|pscale_[a-z]{2,6}_|PMAK-|ntn_|secret_(?=\w{30})|lin_api_|rubygems_|sntry[su]_|hv[sb]\."
        r"|dapi[0-9a-f]|gl(?:c|sa)_|pul-|pnu_|NRAK-|EAAA|sq0[a-z]{3}-|dckr_pat_|figd_|ATATT3|shp(?:at|ca|pa|ss)_"
        r"|LTAI|FLW(?:SEC|PUB)K_|fio-u-|dnkey-|ico-(?=\w{20})|pplx-|r8_|tvly-|gsk_|xai-|(?:pub)?key-(?=[0-9a-f]{32})"
        r"|xkeysib-|shippo_(?:live|test)_|HRKU-|bedrock-api-key-|ABSK|CLOJARS_|AKCp|AGE-SECRET-KEY-1"
        r"|pat[A-Za-z0-9]{14}\.)[\w=+/.-]{16,}+",
        example="hf" + "_abcdefgHIJKLmnopQRSTuvW",
        is_secret=_is_token,
    ),
    Secret(
        "json web token",
        START + r"eyJ[\w=-]{8,}+\.[\w=-]{4,}+(?:\.[\w.+/=-]*+)?",
        example="eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ),
    Secret(
        "password in an address",
        r"://[^\s/?#:@\"'<>]{0,200}:((?!\d{1,5}[/?#])[^\s\"'<>@/][^\s\"'<>@]{0,300})@",
        example="postgres://app:" + "s3cret@db.example.com/app",
        is_secret=_is_given,
    ),
    Secret(
        "token in an address",
        r"://([^\s/?#:@\"'<>]{16,300})@",
        example="https://" + "0a1b2c3d4e5f0a1b2c3d@github.example.com/x.git",
        is_secret=_is_random,
    ),
    Secret(
        "address of a slack hook",
        r"(?i)hooks\.slack\.com/([\w/+-]{20,}+)",
        example="https://hooks.slack.com/" + "workflows/T0123ABCD/A0123ABCD/0123456789",
    ),
    Secret(
        "authorization header",
        rf"(?i)\bauthorization\b(?:{QUOTE})?\s{{0,3}}[:=,]\s{{0,3}}(?:{QUOTE})?"
        rf"(?:(?:bearer|basic|digest|token|negotiate|apikey)\s{{1,3}})?({VALUE}{{4,}}+)",
        example="Authorization: Basic " + "dXNlcjpwYXNzd29yZA==",
        is_secret=_is_given,
    ),
    Secret(
        "bearer token",
        r"(?i)\bbearer\s{1,3}([\w.~+/-]{16,}+=*)",
        example="Bearer " + "abcdefgh12345678",
        is_secret=_is_token,
    ),
    Secret(
        "cookie header",
        rf"(?i)\bcookie(?:{QUOTE})?\s{{0,3}}:\s{{0,3}}(?:{QUOTE})?([\w.-]{{1,100}}=[^\n\"'`\\]{{4,}}+)",
        example="Cookie: " + "session=0123456789abcdef",
    ),
    Secret(
        "variable of the environment",
        r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|CREDENTIALS?|AUTH)(?:_[A-Z0-9_]{1,40})?="
        r"(?:\"([^\"\n]{3,}+)|'([^'\n]{3,}+)|([^\s\"'`;&|<>(){}]{3,}+))",
        example="export DB_PASSWORD=" + "hunter",
        is_secret=_is_given,
    ),
    Secret(
        "password",
        rf"(?i)(?:pass(?:word|wd|phrase)|\bpwd){ASSIGNED}({VALUE}{{4,}}+)(?!\()",
        example="password: " + "hunter2!",
        is_secret=_is_odd,
    ),
    Secret(
        "quoted password",
        rf"(?i)(?:pass(?:word|wd|phrase)|\bpwd){ASSIGNED}(?<=[\"'`])({VALUE}{{6,}}+)(?=\\{{0,3}}[\"'`])",
        example='"db_password": "' + 'correcthorse"',
        is_secret=_is_given,
    ),
    Secret(
        "named secret",
        rf"(?i){NAME}{ASSIGNED}({VALUE}{{8,}}+)(?!\()",
        example="api_key: " + "0123456789abcdef",
        is_secret=_is_random,
    ),
    Secret(
        "option of a command",
        r"(?i)(?<!\S)--?[a-z-]{0,30}(?:password|passwd|passphrase|pass|secret|token|api-?key)(?:=|\s{1,3})"
        rf"(?:{QUOTE})?((?!-){VALUE}{{3,}}+)",
        example="--password " + "hunter2",
        is_secret=_is_given,
    ),
    Secret(
        "password option of a database client",
        r"\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump)\b[^\n|;&]{0,300}?\s-p"
        rf"(?:{QUOTE})?({VALUE}{{2,}}+)",
        example="mysql shop -p" + "hunter2",
        is_secret=_is_given,
    ),
    Secret(
        "password option of a login",
        r"\b(?:sshpass|redis-cli|(?:docker|podman|helm)\s[^\n|;&]{0,40}?login)\b[^\n|;&]{0,300}?\s-[pa]\s{0,3}"
        rf"(?:{QUOTE})?({VALUE}{{2,}}+)",
        example="sshpass -p " + "hunter2",
        is_secret=_is_given,
    ),
    Secret(
        "login of curl",
        rf"\bcurl\b[^\n|;]{{0,300}}?\s(?:-u|--user)[\s=]{{0,2}}(?:{QUOTE})?[^\s:\"']{{0,100}}:({VALUE}{{2,}}+)",
        example="curl http://localhost -u admin:" + "hunter2",
        is_secret=_is_given,
    ),
    Secret(
        "netrc",
        r"\blogin\s{1,20}\S{1,100}\s{1,20}password\s{1,20}(\S+)",
        example="machine example.com login me password " + "hunter2",
    ),
)

# Without the detectors that `SECRETS` replaces, and those that are not linear (openai, jwt, npm, softlayer).
DETECTORS = (
    AzureStorageKeyDetector,
    DiscordBotTokenDetector,
    GitHubTokenDetector,
    GitLabTokenDetector,
    MailchimpDetector,
    PypiTokenDetector,
    SendGridDetector,
    SlackDetector,
    SquareOAuthDetector,
    StripeDetector,
    TelegramBotTokenDetector,
    TwilioKeyDetector,
)


def _library_regex() -> str:
    """The shapes of the library as one alternative, so that their start is searched once, not thirty times.

    Without a start, words inside other words would be masked. Groups in these shapes do not mark the secret.
    """
    # The second shape of the AWS detector masks the words before a key too; "named secret" does not.
    shapes = [AWSKeyDetector.denylist[0], *(shape for each in DETECTORS for shape in each.denylist)]
    one = "|".join(f"(?i:{s.pattern})" if s.flags & re.IGNORECASE else s.pattern for s in shapes)
    return START + "(?:" + re.sub(r"(?<!\\)\((?!\?)", "(?:", one) + ")"


RULES = (
    *((re.compile(secret.regex), secret.is_secret) for secret in SECRETS),
    (re.compile(_library_regex()), _is_own),
)
