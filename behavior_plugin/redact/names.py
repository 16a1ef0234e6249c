"""Secrets that are recognised by their name: assigned to it, in a header, a file of settings, a sentence."""

from __future__ import annotations

from behavior_plugin.redact.rule import QUOTE, QUOTED, REST, VALUE, Rule
from behavior_plugin.redact.values import (
    changes,
    is_given,
    is_given_and_real,
    is_machine_made,
    is_odd,
    is_odd_or_numbered,
    is_password_or_phrase,
    is_random,
    is_set,
    is_strong,
    is_token,
)

NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token(?!i[sz])|credential|authorization|session[_-]?cookie"
    r"|(?:api|access|account|admin|app|auth|client|db|database|deploy|encryption|licen[sc]e|master|private|pub"
    r"|public|secret|service|shared|signing|ssh|storage|webhook)[_. -]?key|access[_-]?id|client[_-]?id|sonar[_.-]?login"
    r"|[_-](?:pw|pass|auth|key|pat|pin)\b|\b(?:key|pat|pw)\b)"
)
PASSED = r"(?:pass(?:word|wd|phrase|code)|\bpwd|[_-](?:pw|pass|pwd)\b|\bp(?:w|ass)\b|\bkennwort|\bpasswort)"
# One of them is in each name.
NAME_WORDS = ("pass", "pw", "secret", "token", "credential", "auth", "cookie", "key", "id", "login", "pat", "pin")
# name = value, "name": value, 'name' => value, name := value, ("name", "value"), <name>value, name != value
ASSIGNED = (
    rf"[\w.-]{{0,40}}(?:{QUOTE}|[\])}}]){{0,2}}(?:\s{{1,3}}string)?(?:\[\d{{0,4}}\])?"
    rf"(?:\s{{0,4}}(?:[:?.+|!]{{0,3}}={{1,3}}>?|:|,(?=\s{{0,3}}\\{{0,3}}[\"']))|>|[ \t]{{1,3}}-(?=[ \t]{{1,3}}{QUOTE})"
    rf"|\.\w{{1,10}}\((?={QUOTE})|\((?={QUOTE}))\s{{0,20}}@?(?:{QUOTE})?"
)
# TOKEN_URL names a property of a secret, and has none in it.
_NOT_A_PROPERTY = (
    r"(?!_(?:METHOD|FILE|PATH|DIR|TYPE|MODE|URL|URI|HOST|PORT|USER|NAME|ENABLED|TTL|PROVIDER|LENGTH|SIZE|EXPIRY)\b)"
)
# The name of a variable of the environment that has a secret.
VARIABLE = (
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|PW|CREDENTIALS?|AUTH|PAT)"
    + _NOT_A_PROPERTY
    + r"(?:_?\d{1,2}|_[A-Z0-9]{1,20})?"
)


NAMES = (
    Rule(
        "authorization header",
        rf"(?i)\bauthorization\b(?:{QUOTE})?\s{{0,3}}[:=,]\s{{0,3}}(?:{QUOTE})?"
        rf"(?:(?:bearer|basic|digest|token|negotiate|apikey|api-key)\s{{1,3}})?({VALUE}{{4,}}+)",
        example="Authorization: Basic " + "dXNlcjpwYXNzd29yZA==",
        words=("authorization",),
        is_secret=lambda value: is_given(value) and value.lower() not in ("required", "bearer", "basic", "header"),
    ),
    Rule(
        "bearer token",
        r"(?i)\bbearer\s{1,3}([\w.~+/-]{16,}+=*)",
        example="Bearer " + "abcdefgh12345678",
        words=("bearer",),
        is_secret=is_token,
    ),
    Rule(
        "cookie header",
        rf"(?i)\bcookie(?:{QUOTE})?\s{{0,3}}:\s{{0,3}}(?:{QUOTE})?([\w.-]{{1,100}}=[^\n\"'`\\]{{4,}}+)",
        example="Cookie: " + "session=0123456789abcdef",
        words=("cookie",),
    ),
    Rule(
        "variable of the environment",
        r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|CREDENTIALS?)"
        + _NOT_A_PROPERTY
        + r"(?:_[A-Z0-9_]{1,40})?="
        r"(?:\"([^\"\n]{3,}+)|'([^'\n]{3,}+)|([^\s\"'`;&|<>(){}\\]{3,}+" + REST + "))",
        example="export DB_PASSWORD=" + "hunter",
        words=("key", "token", "secret", "pass", "pwd", "credential"),
        is_secret=is_given_and_real,
    ),
    Rule(
        "variable with a short name",
        rf"(?:(?<![A-Za-z0-9]){VARIABLE}\]?\s{{0,3}}=\s{{0,3}}|(?:(?<=_)"
        rf"|(?<=[\"'])){VARIABLE}[\"']?\]?\s{{0,3}}[:=]\s{{0,3}}){QUOTED}",
        example='{"env": {"PASS": "' + 'hunter2!Blue"}}',
        words=("key", "token", "secret", "pass", "pw", "credential", "auth", "pat"),
        is_secret=is_set,
    ),
    Rule(
        "variable that a command sets",
        # fish: set -gx NAME value; Windows: setx NAME value; csh: setenv NAME value; a Dockerfile: ENV NAME value
        rf"(?<!\S)(?:set(?:\s{{1,3}}-\w{{1,8}}){{0,3}}|setx|setenv|ENV|env:set|variables? set)\s{{1,3}}"
        rf"[A-Z0-9_]{{0,60}}(?<![A-Z]){VARIABLE}\s{{1,3}}{QUOTED}",
        example="set -gx API_SECRET " + "hunter2!Blue",
        words=("set", "env"),
        is_secret=is_given,
    ),
    Rule(
        "password",
        rf"(?i)(?:pass(?:word|wd|phrase)|\bpwd){ASSIGNED}({VALUE}{{4,}}+{REST})(?!\()",
        example="password: " + "hunter2!",
        words=("pass", "pwd"),
        is_secret=is_odd_or_numbered,
    ),
    Rule(
        "quoted password",
        rf"(?i)(?:pass(?:word|wd|phrase|code)|\bpwd|[_-](?:pw|pass|pwd)\b|\bkennwort"
        rf"|\bpasswort){ASSIGNED}(?<=[\"'`])(?:({VALUE}{{6,}}+)(?=\\{{0,3}}[\"'`])"
        r"|(?<=\")([^\"\n\\]{8,120})(?=\")|(?<=')([^'\n\\]{8,120})(?=')|(?<=`)([^`\n\\]{8,120})(?=`))",
        example='"db_password": "' + 'correcthorse"',
        words=("pass", "pwd", "pw", "kennwort"),
        is_secret=is_password_or_phrase,
    ),
    Rule(
        "short name of a password",
        rf"(?<![\w.-])(?!PASS\b)(?i:pw|pass|passcode|pin|pass?wort|kennwort|mot de passe|contraseña|creds?)"
        rf"(?:{QUOTE})?\s{{0,3}}[:=]{{1,2}}\s{{0,3}}(?:{QUOTE})?({VALUE}{{4,}}+{REST})(?!\()",
        example="pw: " + "hunter2!Blue",
        words=("pw", "pass", "pin", "kennwort", "mot de", "contra", "cred"),
        is_secret=is_odd,
    ),
    Rule(
        "named secret",
        # Once to the place of the value, since the names are many; there a word, all that is quoted, or any characters.
        rf"(?i){NAME}{ASSIGNED}(?:(?=({VALUE}{{8,}}+)(?!\())|)(?:(?=(?<=[\"'`])((?<=\")[^\"\n\\]{{8,400}}(?=\")"
        r"|(?<=')[^'\n\\]{8,400}(?=')|(?<=`)[^`\n\\]{8,400}(?=`)))|)(?:(?=(\S{16,200}))|)",
        example="api_key: " + "0123456789abcdef",
        words=NAME_WORDS,
        is_secret=is_machine_made,
    ),
    Rule(
        "short secret",
        rf"(?i)(?:token|secret|api[_-]?key)(?:{QUOTE})?\s{{0,3}}(?:[:=]"
        rf"|[ \t]-)\s{{0,3}}(?:{QUOTE})([a-z0-9]{{8,40}})(?:{QUOTE})",
        example="token = '" + "ab7cdefg'",
        words=("token", "secret", "key"),
        is_secret=lambda value: changes(value) >= 2,
    ),
    Rule(
        "secret on the next line",
        # password:\n  value, password: |\n  value, secret\nvalue
        rf"(?i)(?:{PASSED}|\b(?:secret|token|api[_ -]?key"
        rf"|key))(?:{QUOTE})?\s{{0,3}}(?::[ \t]{{0,3}}[|>]?[+-]?)?[ \t]{{0,3}}"
        rf"\r?\n[ \t-]{{0,40}}(?:{QUOTE})?([^\s\"'`<>]{{6,200}}+)[\"']?[ \t]*(?:$|\r?\n)",
        example="password: |\n    " + "hunter2!Blue",
        words=("pass", "pwd", "pw", "secret", "token", "key", "kennwort"),
        is_secret=lambda value: is_strong(value) or is_random(value),
    ),
    Rule(
        "value of a named entry",
        # - name: DB_PASSWORD\n  value: x; {"key": "API_TOKEN", "value": "x"}; <property name="password" value="x"/>
        rf"(?i)\b(?:name|key|id|variable|env)(?:{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}(?:{QUOTE})?[\w.-]{{0,60}}"
        rf"(?:pass(?:word|wd|phrase)?|pwd|pw|secret|token|key|auth|credentials?"
        rf"|pat)[\w.-]{{0,20}}(?:{QUOTE})?,?\s{{1,40}}"
        rf"(?:-\s)?(?:{QUOTE})?(?:value|default|content|val|data)(?:{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}"
        r"(?:\\?\"([^\"\n\\]{3,400})|'([^'\n]{3,400})|([^\s\"',;{}<>]{3,}+))",
        example="- name: DB_PASSWORD\n  value: " + "hunter2!Blue",
        words=("value", "default", "content", "val", "data"),
        is_secret=is_set,
    ),
    Rule(
        "element of a secret",
        r"(?i)<[\w:.-]{0,40}(?:pass(?:word|wd|phrase|code)?|pwd|secret|token(?!s)|key|auth"
        r"|credential)[\w:.-]{0,20}>\s{0,20}"
        r"([^<>\s]{3,2000})\s{0,20}</",
        example="<password>" + "hunter2</password>",
        words=("</",),
        is_secret=lambda value: is_set(value) or is_odd_or_numbered(value),
    ),
)
