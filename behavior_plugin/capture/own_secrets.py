"""Mask the secrets of the session's own environment in a call, before it is saved or sent.

Only a hook sees that environment. It keeps nothing of it: where a value stands in the call, a mask is written instead.
Not in prompts, which the worker compares with those in the agent's log; the rules of the worker apply to both.
"""

import os

MASK = b"[REDACTED]"
# A shorter value, or one without a digit among its letters, may be an ordinary word of the call.
MIN_CHARS = 8
# All searches together read no more than so much, a few tenths of a second: a hook that takes longer loses the event.
MAX_SEARCHED_BYTES = 256 * 1024 * 1024
_ENDINGS = (
    *("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "CREDENTIALS"),
    *("_PAT", "_PW", "_PWD", "_AUTH", "KEY_BASE"),
)

# What these hold stays: without it a call would belong to no session, and to no project whose files are excluded.
_PLACES = ("session_id", "transcript_path", "cwd", "prompt_id", "turn_id", "agent_id", "tool_use_id", "tool_name")


def mask(payload):
    """The payload of a call without the values of variables like *_KEY, *_TOKEN, *_SECRET, *_PASSWORD."""
    secrets = {value for name, value in os.environ.items() if name.upper().endswith(_ENDINGS) and _is_secret(value)}
    # The longest first: one may be a part of another, whose rest would stay.
    searched = sorted(secrets, key=len, reverse=True)[: 1 + MAX_SEARCHED_BYTES // (len(payload) + 1)]
    found = [value for value in searched if any(form in payload for form in _forms(value))]
    return _masked(payload, found) if found else payload


def _is_secret(value):
    has_digit = any("0" <= character <= "9" for character in value)
    has_letter = any(character.isalpha() for character in value)
    return len(value) >= MIN_CHARS and has_digit and has_letter and value[0] not in "/~."


def _forms(value):
    """A value as JSON may have it: in ASCII, or each character as it is."""
    from behavior_plugin.capture import spool

    written = spool.quote(value)[1:-1].encode("ascii")
    if value.isascii():
        return [written]
    import json

    return [written, json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")]


def _masked(payload, values):
    """The payload without these values. In JSON only whole texts are searched: half an escape would spoil it."""
    import json

    try:
        fields = json.loads(payload)
        places = [str(fields.get(name)) for name in _PLACES]
        return json.dumps(_without([each for each in values if not _is_in(each, places)], fields)).encode("ascii")
    except (AttributeError, ValueError, RecursionError):
        for form in [form for value in values for form in _forms(value)]:
            payload = payload.replace(form, MASK)
        return payload


def _is_in(value, texts):
    return any(value in text for text in texts)


def _without(values, found):
    """A JSON value without these texts, also in its names."""
    if isinstance(found, str):
        for value in values:
            found = found.replace(value, MASK.decode())
        return found
    if isinstance(found, dict):
        return {_without(values, name): _without(values, each) for name, each in found.items()}
    return [_without(values, each) for each in found] if isinstance(found, list) else found
