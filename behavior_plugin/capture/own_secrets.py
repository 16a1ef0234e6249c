"""Mask the secrets of the session's own environment in a call, before it is saved or sent.

Only a hook sees that environment. It keeps nothing of it: where a value stands in the call, a mask is written instead.
Not in prompts, which the worker compares with those in the agent's log; the rules of the worker apply to both.
"""

import os

MASK = b"[REDACTED]"
# A shorter value, or one without a digit among its letters, may be an ordinary word of the call.
MIN_CHARS = 8
_ENDINGS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIALS", "_PAT", "_PW")


def mask(payload):
    """The payload of a call without the values of variables like *_KEY, *_TOKEN, *_SECRET, *_PASSWORD."""
    for name, value in os.environ.items():
        if name.upper().endswith(_ENDINGS) and _is_secret(value):
            payload = _masked(payload, value)
    return payload


def _is_secret(value):
    has_digit = any("0" <= character <= "9" for character in value)
    has_letter = any(character.isalpha() for character in value)
    return len(value) >= MIN_CHARS and has_digit and has_letter and value[0] not in "/~."


def _masked(payload, value):
    from behavior_plugin.capture import spool

    written = spool.quote(value)[1:-1].encode("ascii")
    # An agent may give its session's id as a key; the session would be lost without it.
    if written not in payload or b'"session_id":"' + written in payload.replace(b'": "', b'":"'):
        return payload
    return payload.replace(written, MASK)
