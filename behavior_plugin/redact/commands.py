"""Secrets in command lines and statements: the options and subcommands that take one."""

from __future__ import annotations

from behavior_plugin.redact.rule import GAP, QUOTE, VALUE, WORDS, Rule
from behavior_plugin.redact.values import is_given, is_odd, is_random

_ANY = r"((?!-)[^\s\"'`,;|<>]{2,}+)"
# A value on the command line, quoted or not.
_WORD = rf"(?:\\?\"([^\"\n\\]{{2,200}})|'([^'\n]{{2,200}})|{_ANY})"

# Programs whose option takes a password, after a space or directly.
_WITH_P = r"mysql\w{0,10}|mariadb[\w-]{0,12}"
_WITH_P_WORD = (
    r"mongo(?:sh|dump|restore|export|import)?|az[\s\"',]{1,5}login|sshpass|(?:docker|podman|helm|skopeo|buildah"
    r"|oras|crane|oc)\s[^\n|;&]{0,40}?login|twine|rdesktop|cqlsh|influx|tabcmd|rabbitmqadmin|smbmap|crackmapexec|vncviewer"
)


def _is_typed(value: str) -> bool:
    """Whether a word can be a password where a path, a number or a flag may stand too."""
    return is_given(value) and not value.startswith("-") and (is_odd(value) or is_random(value) or value.isalnum())


COMMANDS = (
    Rule(
        "option of a command",
        r"(?i)(?<![^\s\"'])--?[a-z-]{0,30}(?:password|passwd|passphrase|pass|secret|token|api-?key|access-?key"
        r"|auth-?key"
        rf"|secret[_-]key|storepass|keypass|pw)(?:=|{GAP})(?:{QUOTE})?((?!-){VALUE}{{3,}}+)",
        example="--password " + "hunter2",
        words=("--", "-pass", "-secret", "-token", "-storepass", "-keypass", "-pw"),
        is_secret=is_given,
    ),
    Rule(
        "password of openssl",
        rf"(?i)-pass(?:in|out)?[ \t]{{1,3}}(?:{QUOTE})?pass:({VALUE}{{2,}}+)|\bopenssl\b{WORDS}\s-k[ \t]{{1,3}}{_WORD}",
        example="openssl rsa -in key.pem -passin pass:" + "hunter2!Blue",
        words=("-pass", "openssl"),
        is_secret=is_given,
    ),
    Rule(
        "password option of a database client",
        rf"\b(?:{_WITH_P})\b[^\n|;&]{{0,300}}?[\s\"']-p(?:{QUOTE})?({VALUE}{{2,}}+)",
        example='["mysql", "-p' + 'hunter2!Blue"]',
        words=("mysql", "mariadb"),
        is_secret=is_given,
    ),
    Rule(
        "password option of a login",
        rf"\b(?:{_WITH_P_WORD})\b{WORDS}[\s\"']-p(?:{GAP})?{_WORD}",
        example="sshpass -p " + "hunter2",
        words=(
            "mongo",
            "az",
            "sshpass",
            "login",
            "twine",
            "rdesktop",
            "cqlsh",
            "influx",
            "tabcmd",
            "rabbit",
            "smbmap",
            "crack",
            "vnc",
        ),
        is_secret=_is_typed,
    ),
    Rule(
        "password option of redis-cli",
        rf"\bredis-cli\b{WORDS}[\s\"']-a{GAP}{_WORD}",
        example="redis-cli -h cache -a " + "hunter2",
        words=("redis-cli",),
        is_secret=is_given,
    ),
    Rule(
        "password of an archive",
        rf"\b(?:un)?zip(?:cloak)?\b{WORDS}[\s\"']-P{GAP}{_WORD}|\b(?:7z[arz]?"
        rf"|(?:un)?rar)\b{WORDS}[\s\"']-h?p(?:{QUOTE})?({VALUE}{{2,}}+)",
        example="zip -r -P " + "hunter2!Blue out.zip src",
        words=("zip", "7z", "rar"),
        is_secret=is_given,
    ),
    Rule(
        "password of a directory or a database",
        rf"\bldap\w{{3,10}}\b{WORDS}[\s\"']-w{GAP}{_WORD}|\b(?:sqlcmd|bcp|osql|isql)\b{WORDS}[\s\"']-P(?:{GAP})?{_WORD}"
        rf"|\bsnmp\w{{2,12}}\b{WORDS}[\s\"']-[AX]{GAP}{_WORD}|\bipmitool\b{WORDS}[\s\"']-P{GAP}{_WORD}",
        example="ldapsearch -D cn=admin -w " + "hunter2!Blue",
        words=("ldap", "sqlcmd", "bcp", "osql", "isql", "snmp", "ipmitool"),
        is_secret=is_given,
    ),
    Rule(
        "second password of a network client",
        rf"\bsnmp\w{{2,12}}\b{WORDS}[\s\"']-A{GAP}\S{{2,100}}{WORDS}[\s\"']-X{GAP}{_WORD}",
        example="snmpwalk -A one -X " + "hunter2!Blue host",
        words=("snmp",),
        is_secret=is_given,
    ),
    Rule(
        "passphrase of a key",
        rf"\b(?:ssh-keygen|ssh-keyscan)\b{WORDS}[\s\"']-[NP]{GAP}{_WORD}",
        example="ssh-keygen -t ed25519 -N '" + "hunter2!Blue'",
        words=("ssh-key",),
        is_secret=is_given,
    ),
    Rule(
        "login of a client",
        # curl -u me:x, http -a me:x, smbclient -U me%x, --proxy-user me:x
        rf"\b(?:curl|wget|https?|xh|smbclient|rpcclient|mosquitto_(?:pub|sub)|lftp|aria2c)\b[^\n|;]{{0,300}}?"
        rf"[\s\"'](?:-[uaUP]|--(?:proxy-)?user|--auth)[\s=\"',]{{0,4}}[^\s:%\"']{{0,100}}[:%]{_WORD}",
        example="curl http://localhost -u admin:" + "hunter2",
        words=("curl", "wget", "http", "xh ", "client", "mosquitto", "lftp", "aria2c"),
        is_secret=is_given,
    ),
    Rule(
        "login of sqlplus",
        rf"\b(?:sqlplus|sqlldr|expdp|impdp|rman|sqlcl?)\b{WORDS}\s[\"']?[\w$#.-]{{1,30}}/({VALUE}{{2,}}?)(?:@"
        rf"|[\"'\s]|$)",
        example="sqlplus scott/" + "hunter2!Blue@db",
        words=("sql", "expdp", "impdp", "rman"),
        is_secret=is_odd,
    ),
    Rule(
        "password of htpasswd",
        r"\bhtpasswd\b[^\n|;&]{0,100}?\s-\w{0,5}b\w{0,5}\s(?:[^\n|;&]{0,80}?-\w{1,3}\s)?[ \t]{0,3}"
        rf"(?:\S{{1,200}}[ \t]{{1,3}}){{1,2}}{_WORD}[ \t]{{0,3}}(?:$|[\n|;&])",
        example="htpasswd -b .htpasswd bob " + "hunter2!Blue",
        words=("htpasswd",),
    ),
    Rule(
        "password of an account",
        rf"\brabbitmqctl\b{WORDS}\s(?:add_user|change_password|authenticate_user)[ \t]{{1,3}}\S{{1,60}}"
        rf"[ \t]{{1,3}}{_WORD}"
        rf"|(?i:\bnet[ \t]{{1,3}}user)[ \t]{{1,3}}[\w.-]{{1,40}}[ \t]{{1,3}}{_WORD}"
        rf"|\buser(?:add|mod)\b{WORDS}\s-p{GAP}{_WORD}|\bwpa_passphrase[ \t]{{1,3}}\S{{1,60}}[ \t]{{1,3}}{_WORD}"
        rf"|\bansible-vault[ \t]{{1,3}}encrypt_string\b{WORDS}\s{_WORD}",
        example="rabbitmqctl add_user bob " + "hunter2!Blue",
        words=("rabbitmqctl", "net ", "user", "wpa_", "ansible-vault"),
        is_secret=lambda value: is_odd(value) and not value.startswith("/"),
    ),
    Rule(
        "cookie of a client",
        # curl -b 'session=x'
        rf"\b(?:curl|wget|https?)\b[^\n|;]{{0,300}}?\s(?:-b|--cookie)[\s=]{{1,3}}(?:{QUOTE})?"
        rf"[\w.-]{{1,60}}=({VALUE}{{8,}}+)",
        example="curl -b 'session=" + "a1B2c3D4e5F6g7H8i9J0k1' http://localhost",
        words=("-b", "--cookie"),
        is_secret=is_random,
    ),
    Rule(
        "password of a Windows share",
        rf"(?i)\bnet[ \t]{{1,3}}use\b{WORDS}\s\\\\\S{{3,200}}[ \t]{{1,3}}{_WORD}",
        example=r"net use Z: \\srv\share " + "hunter2!Blue /user:bob",
        words=("net ",),
        is_secret=lambda value: is_odd(value) and not value.startswith("/"),
    ),
    Rule(
        "secret that is piped into a command",
        # echo 'x' | sudo -S, echo 'bob:x' | chpasswd, printf x | docker login --password-stdin
        rf"\b(?:echo|printf)[ \t]{{1,3}}(?:-\w{{1,3}}[ \t]{{1,3}}"
        rf"|['\"]?%s(?:\\n)?['\"]?[ \t]{{1,3}}){{0,2}}(?:[\"']?[\w.-]{{1,40}}:(?!//))?"
        rf"{_WORD}[\"']?[ \t]{{0,3}}\|[^\n|;&]{{0,120}}?"
        r"(?:\bsudo[ \t]{1,3}(?:-\w{1,10}[ \t]{1,3}){0,4}-\w{0,5}S|\bchpasswd\b"
        r"|--stdin\b|-stdin\b|--with-token|stdin|--passphrase-fd|\bkinit\b|cryptsetup|secrets? (?:put|create|set|add)"
        r"|\blogin\b|\bpasswd\b|\bgpg\b)",
        example="echo '" + "hunter2!Blue' | sudo -S apt-get update",
        words=("echo", "printf"),
        is_secret=is_given,
    ),
    Rule(
        "secret that a here-string passes",
        rf"(?i)(?:secret|passw|token|login|credential|\bsu(?:do)?\b)[^\n|;&]{{0,100}}<<<[ \t]{{0,3}}{_WORD}",
        example="wrangler secret put KEY <<< '" + "hunter2!Blue'",
        words=("<<<",),
        is_secret=is_given,
    ),
    Rule(
        "secrets that a command keeps",
        r"(?i)\b(?:vault[ \t]{1,3}(?:kv[ \t]{1,3})?(?:put|patch|write)|(?:secrets?|config|variables?|vars"
        r"|parameters?)[\s:]{1,3}"
        r"(?:set|put|create|add|update|import)|secret-?manager\b[^\n]{0,40}?|create[ \t]{1,3}secret"
        r"|from-literal)\b[^\n|;]{0,400}",
        example="vault kv put secret/app value=" + "hunter2!Blue",
        each=r"(?<=[\s\"'=])[\w./-]{1,60}=(?:\"([^\"\n]{3,})\"?|'([^'\n]{3,})'?|([^\s\"'`;&|<>(),]{3,}+))",
        words=("vault", "secret", "config", "variable", "vars", "parameter", "literal"),
        is_secret=lambda value: _is_typed(value) and not value.isalpha(),
    ),
    Rule(
        "secret that a command keeps",
        r"(?i)\b(?:gh|glab|fly(?:ctl)?|vercel|netlify|wrangler|supabase|railway|az|aws|gcloud|circleci|doppler"
        r"|infisical|op)\s"
        rf"[^\n|;&]{{0,60}}?\b(?:secret|variable|env|parameter)s?\b{WORDS}\s(?:--?(?:body|value|b|v|secret-string|data)"
        rf"(?:=|{GAP})){_WORD}",
        example="gh secret set DEPLOY --body " + "hunter2!Blue",
        words=("secret", "variable", "env", "parameter"),
        is_secret=is_given,
    ),
    Rule(
        "password of a key in a store",
        r"(?i)\b(?:consul[ \t]{1,3}kv[ \t]{1,3}put|etcdctl[ \t]{1,3}put|redis-cli\s[^\n|;&]{0,80}?set|env:set"
        r"|config[ \t]{1,3}set|configure[ \t]{1,3}set|config)"
        rf"\s[^\n|;&]{{0,80}}?[\w./:@-]{{0,80}}(?:passw(?:or)?d|secret|token|key|_auth|_pw"
        rf"|authtoken)[\w-]{{0,20}}[ \t]{{1,3}}{_WORD}",
        example="aws configure set aws_secret_access_key " + "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0",
        words=("put", "set", "config"),
        is_secret=_is_typed,
    ),
    Rule(
        "login of a package manager",
        rf"(?i)\b(?:composer|bundle|pip|npm|yarn|poetry|nuget"
        rf"|conan)\b[^\n|;&]{{0,40}}?\bconfig\b{WORDS}\s(?:http-basic\S{{0,80}}[ \t]{{1,3}}\S{{1,60}}"
        rf"[ \t]{{1,3}}{_WORD}|\S{{3,80}}[ \t]{{1,3}}[\w.-]{{1,40}}:{_WORD}|_(?:auth|password)[ \t]{{1,3}}{_WORD})",
        example="bundle config gems.example.com bob:" + "hunter2!Blue",
        words=("config",),
        is_secret=_is_typed,
    ),
    Rule(
        "token of a login",
        r"(?i)\b(?:vault[ \t]{1,3}login|doctl[ \t]{1,3}auth[ \t]{1,3}init|auth(?:enticate)?[ \t]{1,3}login"
        r"|npm[ \t]{1,3}login|\w{2,20}[ \t]{1,3}login"
        rf"|ngrok[ \t]{{1,3}}(?:config[ \t]{{1,3}}add-)?authtoken|set-?token|add-?authtoken"
        rf"|tailscale[ \t]{{1,3}}up)\b(?:[ \t]{{1,3}}(?:-\w|--?[\w-]{{2,20}}(?==|\s))=?){{0,2}}(?:[ \t]{{1,3}}"
        rf"|(?<==)){_WORD}",
        example="vault login " + "hvs" + ".a1B2c3D4e5F6g7H8i9J0",
        words=("login", "auth", "token", "tailscale"),
        is_secret=lambda value: is_random(value) or is_odd(value),
    ),
    Rule(
        "secret of rclone",
        rf"(?i)\b(?:rclone|s3cmd|mc|b2)\b{WORDS}\s(?:pass|secret_access_key|access_key_id|secret|token"
        rf"|key)[\s=]{{1,3}}{_WORD}",
        example="rclone config create r s3 secret_access_key " + "a1B2c3D4e5F6g7H8i9J0",
        words=("rclone", "s3cmd", "mc ", "b2 "),
        is_secret=_is_typed,
    ),
    Rule(
        "password in SQL",
        r"(?i)\b(?:identified\s{1,5}(?:with\s{1,5}\w{1,40}\s{1,5})?by(?:\s{1,5}(?:password|values))?|(?:with"
        r"|encrypted|login|role|user)?\s{0,5}password"
        r"(?:[ \t]{0,3}=)?)\s{0,5}\(?[ \t]{0,3}(?:n?'([^'\n]{2,200})'|\"([^\"\n]{2,200})\")",
        example="ALTER USER bob WITH PASSWORD '" + "hunter2!Blue'",
        words=("identified", "password"),
        is_secret=lambda value: is_given(value) and " " not in value,
    ),
    Rule(
        "seed of a second factor",
        r"(?i)(?:[?&]secret=|\b(?:totp|otp|2fa|mfa)[ \t]{0,3}(?:seed|secret"
        r"|key)[ \t]{0,3}[:=]?[ \t]{0,3})([a-z2-7]{16,}+)",
        example="otpauth://totp/x?secret=" + "ABCDEFGH234567AB",
        words=("secret", "otp", "2fa", "mfa"),
    ),
    Rule(
        "constructor with a token",
        # new Client("x"), setToken("x"), getsheet("x"): only what is as good as random
        rf"\b(?i:[\w.]{{0,40}}(?:client|token|key|auth|api|secret|credential|sheet|login"
        rf"|connect)\w{{0,20}})\s{{0,2}}\(\s{{0,2}}(?:{QUOTE})"
        r"([\w.+/~-]{16,200})(?=\\{0,3}[\"'`])",
        example='new AcmeClient("' + 'a1B2c3D4e5F6g7H8i9J0k1")',
        words=("client", "token", "key", "auth", "api", "secret", "credential", "sheet", "login", "connect"),
        is_secret=lambda value: is_random(value) and len(value) >= 20,
    ),
)
