"""Logins: a password in a sentence, beside an account or an address, or in a file of logins."""

from __future__ import annotations

from behavior_plugin.redact.names import NAME
from behavior_plugin.redact.rule import QUOTE, REST, VALUE, Rule
from behavior_plugin.redact.values import is_account, is_machine_made, is_odd, is_odd_or_numbered, is_random, is_strong

# The other half of a login: app_id = value, <username>value</username>, <id>{name value}</id>
_ACCOUNT = (
    rf"(?:id|user|username|email|login|account)(?:{QUOTE})?\s{{0,3}}[:=>]\s{{0,3}}(?:{QUOTE}|\{{(?:\w{{1,20}} )?)?"
    r"([^\s\"'`,;<>(){}\\]{8,80})"
)
_CREDENTIAL = rf"(?:secret|token|key|password)(?:{QUOTE})?\s{{0,3}}[:=>]"

LOGINS = (
    Rule(
        "account beside a secret",
        rf"(?i)(?:{_ACCOUNT}(?=[^\w][\s\S]{{0,100}}?{_CREDENTIAL})|{_CREDENTIAL}[\s\S]{{0,120}}?{_ACCOUNT})",
        example='id: "' + '7etnho2b"\nsecret: x',
        words=("secret", "token", "key", "password"),
        is_secret=is_account,
    ),
    Rule(
        "password in a sentence",
        # the admin password is x; password for the box: x; creds are bob / x; das Kennwort lautet x
        r"(?i)\b(?:pass(?:word|wd|phrase|code)|pwd|pw|pin|kennwort|passwort|creds?|credentials)s?\b"
        r"(?:\s{1,3}(?:for|of|to|on|in|auf|für)\s[^\n.:=?!\"'`]{1,60}?)?"
        r"(?:\s{0,3}[:=]\s{0,3}|\s{1,3}(?:is|are|was|=|ist|lautet|to|should be|must be|will be|now|->)\s{1,3}"
        r"(?:now\s|set to\s|still\s|also\s)?)"
        rf"(?:[\w.@-]{{1,40}}\s{{0,2}}[/:,]\s{{0,2}})?(?:{QUOTE})?({VALUE}{{4,}}{REST})",
        example="the admin password is " + "hunter2!Blue , log in with it",
        words=("pass", "pwd", "pw", "pin", "kennwort", "cred"),
        is_secret=lambda value: is_odd_or_numbered(value.rstrip(".?")) and not value.rstrip(".!?").isdigit(),
    ),
    Rule(
        "password in another language",
        r"(?i)(?:\b(?:contraseña|senha|wachtwoord|hasło|heslo|lösenord|пароль|пароля|mot de passe)\b|密码|密碼|口令"
        r"|パスワード|비밀번호)\s{0,3}(?:[:=]|\b(?:es|est|é|is|jest|je|är|это)\b|[是为は는은])?"
        rf"\s{{0,3}}(?:{QUOTE})?({VALUE}{{4,}}{REST})",
        example="la contraseña es " + "hunter2!Blue",
        words=("contrase", "senha", "wachtw", "has", "heslo", "senord", "парол", "passe", "密", "口", "パ", "비"),
        is_secret=lambda value: is_odd_or_numbered(value.rstrip(".?。")),
    ),
    Rule(
        "password after its word",
        rf"(?i)\b(?:pass(?:word|wd|phrase|code)|pwd|pw|kennwort|passwort)\s{{1,3}}(?:{QUOTE})?({VALUE}{{4,}}{REST})",
        example="use the passphrase " + "hunter2!Blue to unlock",
        words=("pass", "pwd", "pw", "kennwort"),
        is_secret=lambda value: is_strong(value.rstrip(".?")),
    ),
    Rule(
        "password beside an address",
        # name: x / me@example.com
        r"[:=]\s{0,3}(\S{8,80}?)\s{0,3}[/|,]\s{1,3}([\w.+-]{1,60}@[\w-]{1,60}(?:\.[\w-]{1,30}){1,4})",
        example="account = " + "hunter2!Blue / me@example.com",
        words=("@",),
        is_secret=lambda value: is_strong(value) or is_random(value),
        is_whole=True,
    ),
    Rule(
        "secret that is compared",
        # if ("x" == password)
        rf"(?i)\"([^\"\n\s]{{6,200}})\"\s{{0,3}}[!=]==?\s{{0,3}}[\w.\[]{{0,40}}{NAME}",
        example='if ("' + 'hunter2!Blue" == password)',
        words=("==", "!="),
        is_secret=lambda value: is_odd(value) or is_machine_made(value),
    ),
    Rule(
        "login in code",
        # auth=('bob', 'x'), basic_auth("bob", "x"), login(user="bob", pw="x")
        rf"(?i)(?:auth|login|connect|credentials|signin)\w{{0,10}}\s{{0,2}}[=(]{{1,2}}\s{{0,2}}\(?(?:{QUOTE})"
        rf"[\w.@-]{{1,60}}(?:{QUOTE})\s{{0,2}},\s{{0,2}}(?:{QUOTE})([^\s\"'\\]{{3,200}})(?:{QUOTE})",
        example="auth=('bob', '" + "hunter2!Blue')",
        words=("auth", "login", "connect", "credentials", "signin"),
        is_secret=is_odd,
    ),
    Rule(
        "login before a host",
        r"(?<![\w:/@.-])[a-z][\w.-]{0,30}:([^\s:@/\"'`<>]{6,80})@(?=[a-z0-9][\w.-]{2,60})",
        example="bob:" + "hunter2!Blue@db.internal:5432",
        words=("@",),
        is_secret=is_odd,
    ),
    Rule(
        "hash of a password",
        r"\$(?:apr1|[156]|2[aby]|y|argon2(?:id?|d)|pbkdf2[\w-]*)\$[\w./$=,+-]{20,}",
        example="bob:$apr1$abcdefgh$" + "abcdefghijklmnopqrstuv",
        words=("$apr1", "$1", "$5", "$6", "$2", "$y", "$argon2", "$pbkdf2"),
    ),
    Rule(
        "netrc",
        r"\blogin\s{1,20}\S{1,100}\s{1,20}password\s{1,20}(\S+)",
        example="machine example.com login me password " + "hunter2",
        words=("login",),
    ),
)
