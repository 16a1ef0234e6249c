"""Cut the text that a person marked as private, `<private>…</private>`, before anything of it is written.

A hook saves a payload as it came; it only looks for the tag's name (`handlers`), and comes here where it finds that.
The worker cuts prompts that it reads in an agent's log by the same function, so that both sources have the same text.
"""

# Stands where text was cut, so that a prompt that is private as a whole can be told from an empty one.
MARK = "<private></private>"
# What the worker reads of a prompt's payload. Other fields may quote the prompt, such as the session's title.
_KEPT = ("session_id", "transcript_path", "cwd", "hook_event_name", "prompt_id", "turn_id", "agent_id", "prompt")


def cut_payload(payload):
    """A prompt's payload without its private text, which is replaced by MARK; and whether all of the prompt is private.

    A payload that cannot be parsed cannot be cut, so nothing of it may be kept: it comes back empty.
    """
    import json

    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return b"", True
    if not isinstance(fields, dict):
        return b"", True
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    cut = {name: without_private(value, MARK) for name, value in texts.items()}
    if cut == texts and "prompt" in texts:
        return payload, False
    kept = {name: cut[name] for name in _KEPT if name in cut}
    return json.dumps(kept).encode("ascii"), is_private(kept.get("prompt", ""))


def is_private(text):
    """Whether a text has marked parts, and nothing else."""
    cut = without_private(text, "")
    return cut != text and not cut.strip()


def without_private(text, mark=""):
    """The text with each marked part replaced.

    Tags nest. Without its closing tag a part goes to the end, and without its opening tag it begins at the start: a
    typing error must not publish what was meant to be private.
    """
    if "private" not in text.lower():
        return text
    import re

    kept, depth, end = [], 0, 0
    for tag in re.finditer(r"<\s{0,9}(/?)\s{0,9}private\s{0,9}>", text, re.IGNORECASE):
        if not depth:
            kept += [text[end : tag.start()], mark]
        if not tag[1]:
            depth += 1
        elif depth:
            depth -= 1
        else:
            kept = [mark]
        end = tag.end()
    return "".join(kept) + ("" if depth else text[end:])
