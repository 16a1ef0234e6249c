"""Secrets that are recognised by their own shape, wherever they stand, and those in addresses.

The token shapes of detect-secrets are used too, but only its regular expressions: its scanner needs files, settings
and, to verify, the network.
"""

from __future__ import annotations

import re

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

from behavior_plugin.redact.rule import START, Rule
from behavior_plugin.redact.values import is_given, is_random, is_real, is_token

# Without the detectors that rules here replace, and those that are not linear (openai, jwt, npm, softlayer).
_DETECTORS = (
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
    shapes = [AWSKeyDetector.denylist[0], *(shape for each in _DETECTORS for shape in each.denylist)]
    one = "|".join(f"(?i:{s.pattern})" if s.flags & re.IGNORECASE else s.pattern for s in shapes)
    return START + "(?:" + re.sub(r"(?<!\\)\((?!\?)", "(?:", one) + ")"


_PEM_BREAK = r"(?:\\+[nrt]|[\s\"',])"

TOKENS = (
    Rule(
        # Not possessive: before 3.11.5 Python takes a group's repetition so for a failure.
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[\s\S])*-----END [A-Z0-9 ]{0,50}-----",
        example="-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow==\n-----END RSA PRIVATE " + "KEY-----",
        words=("-----begin",),
    ),
    Rule(
        "private key that is cut off",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rf"(?:{_PEM_BREAK}*+[A-Za-z0-9+/=]{{16,}}+)*+(?:{_PEM_BREAK}*+[A-Za-z0-9+/=]++{_PEM_BREAK}*+\Z)?",
        example="-----BEGIN RSA PRIVATE " + "KEY-----\\nMIIEowIBAAKCAQEA1234567890",
        words=("-----begin",),
    ),
    Rule(
        "token with a known beginning",
        START
        + r"(?:sk-(?=[\w-]{20})|[spr]k_(?:live|test)_|whsec_|gh[pousr]_|github_pat_|xox[a-z]-|xapp-|xoxe\.xox[bp]-"
        r"|gl(?:pat|ptt|dt|rt|ft|ffct|cbt|imt|agent|oas|soat)-|npm_|pypi-|hf_|api_org_|AIza|ya29\.|GOCSPX-|AQVN"
        r"|do[opr]_v1_|pscale_[a-z]{2,6}_|PMAK-|ntn_|secret_(?=\w{30})|lin_api_|rubygems_|sntry[su]_|hv[sb]\."
        r"|dapi[0-9a-f]|gl(?:c|sa)_|pul-|pnu_|NRAK-|EAAA|sq0[a-z]{3}-|dckr_pat_|figd_|ATATT3|shp(?:at|ca|pa|ss)_"
        r"|LTAI|FLW(?:SEC|PUB)K_|fio-u-|dnkey-|ico-(?=\w{20})|pplx-|r8_|tvly-|gsk_|xai-|(?:pub)?key-(?=[0-9a-f]{32})"
        r"|xkeysib-|shippo_(?:live|test)_|HRKU-|bedrock-api-key-|ABSK|CLOJARS_|AKCp|AGE-SECRET-KEY-1"
        r"|pat[A-Za-z0-9]{14}\.|tskey-[a-z]{3,9}-|ph[cx]_|nfp_|sbp_|dp\.[a-z]{2,5}\.|xprv(?=\w{60}))[\w=+/.-]{16,}+",
        example="hf" + "_abcdefgHIJKLmnopQRSTuvW",
        is_secret=is_token,
    ),
    Rule(
        "token with the name of its kind",
        # As newer services write them: acme_live_..., acme_pat_..., acme-sk-...
        START
        + r"(?:[a-z][a-z0-9]{1,14}[_-]){0,2}(?:live|prod|test|pat|pt|sk|pk|rk|key|secret|token|api|tok|apikey)[_-]"
        r"((?:[a-z0-9]{1,6}[_-]){0,2}[A-Za-z0-9]{20,}+(?:[_-][A-Za-z0-9]{6,})*+)(?![\w-]*\.[a-z]{2,4}\b)",
        example="acme_live_" + "a1B2c3D4e5F6g7H8i9J0k1",
        words=("live", "prod", "test", "pat", "pt", "sk", "pk", "rk", "key", "secret", "tok", "api"),
        is_secret=is_random,
    ),
    Rule(
        "json web token",
        START + r"eyJ[\w=-]{8,}+\.[\w=-]{4,}+(?:\.[\w.+/=-]*+)?",
        example="eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        words=("eyj",),
    ),
    Rule(
        "token of a bot",
        # In an address the word stands right before it: https://api.telegram.org/bot123456789:AA.../getMe
        r"(?<!\d)\d{8,10}:[\w-]{35}(?![\w-])",
        example="https://api.telegram.org/bot123456789:" + "AAabcdefgh1jklmn0pqrstuvwxyzABCDEFG/getMe",
    ),
    Rule(
        "password in an address",
        r"://[^\s/?#:@\"'<>]{0,200}:((?!\d{1,5}[/?#])[^\s\"'<>@/][^\s\"'<>@]{0,300})@",
        example="postgres://app:" + "s3cret@db.example.com/app",
        words=("://",),
        is_secret=is_given,
    ),
    Rule(
        "token in an address",
        r"://([^\s/?#:@\"'<>]{16,300})@",
        example="https://" + "0a1b2c3d4e5f0a1b2c3d@github.example.com/x.git",
        words=("://",),
        is_secret=is_random,
    ),
    Rule(
        "address that is a secret",
        # Whoever has the address of a webhook, an invitation or a feed can use it.
        r"(?i)://[^\s\"'<>?#]{0,200}?(?:hooks?|bot|invites?|join|reset|magic|secret|token|feeds?|ical|private"
        r"|confirm)(?![a-z])"
        r"[^\s\"'<>?#/]{0,20}/(?:[^\s\"'<>?#/]{0,40}/)?([^\s\"'<>?#]{8,300})",
        example="https://hooks.slack.com/" + "workflows/T0123ABCD/A0123ABCD/0123456789",
        words=("hook", "bot", "invite", "join", "reset", "magic", "secret", "token", "feed", "ical", "private", "conf"),
        is_secret=lambda path: (
            any(is_random(part) and len(part) >= 16 for part in path.split("/")) or _is_numbered(path)
        ),
    ),
    Rule(
        "address of a hook",
        r"(?i)\bhooks?\.[\w.-]{3,60}/([\w/+-]{20,}+)",
        example="hooks.slack.com/" + "workflows/T0123ABCD/A0123ABCD/0123456789",
        words=("hook",),
    ),
    Rule(
        "address with a long random part",
        r"(?i)://[^\s/\"'<>?#]{0,100}\bapi\b[^\s\"'<>?#]{0,200}?/"
        r"((?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{48,200})(?![\w.])",
        example="https://api.example.com/v1/" + "qwer1234tyui5678opas9012dfgh3456jklz7890xcvb1234nmqw5678",
        words=("api",),
        is_secret=is_random,
    ),
    Rule(
        "parameter of an address",
        r"(?i)[?&;](?:amp;)?[\w.-]{0,30}(?:sig|signature|token|secret|passw(?:or)?d|pwd|pass|key|auth|credential"
        r"|code|t|hash"
        r"|jwt|session|sid|otp|ticket)=([^\s\"'`&<>#]{6,2000})",
        example="https://a.blob.example.net/c?se=2026-01-01&sig=" + "kJ8%2Bx0aB1cD2eF3gH4iJ5kL6mN7oP8%3D",
        words=("=",),
        is_secret=lambda value: is_random(value) and len(value) >= 12,
    ),
    Rule(
        "password in the parameter of an address",
        r"(?i)(?:[?&](?:[\w.-]{0,30}(?:passw(?:or)?d|pwd|secret)|pass|sig)|\bx-(?:amz|goog)-signature)"
        r"=([^\s\"'`&<>#]{3,2000})",
        example="jdbc:postgresql://db/app?user=me&password=" + "hunter2",
        words=("=",),
        is_secret=is_given,
    ),
    Rule(
        "shape of the library",
        _library_regex(),
        example="AKIA" + "QWERTYUIOPLKJHGF",
        is_secret=is_real,
    ),
)


def _is_numbered(path: str) -> bool:
    """Whether a path has three parts or more that are ids: T0123ABCD/A0123ABCD/0123456789."""
    return sum(re.fullmatch(r"[A-Z0-9]{8,}", part) is not None for part in path.split("/")) >= 3
