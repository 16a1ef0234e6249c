"""Handle each hook: save the event; at a session's start and end also start the worker; at a prompt and after a failed
call also ask it.

Never raises, prints nothing but an answer, and ends within HARD_STOP_S.
"""

import os
import time

from behavior_plugin.capture import paths, spool

PAYLOAD_LIMIT = 8 * 1024 * 1024
HARD_STOP_S = 1.0
# If standard input is never closed, the bytes that have arrived by then are the payload.
READ_STOP_S = 0.8
# A request that fits into a socket is sent before the event is saved, so that the worker works meanwhile.
MAX_EARLY_REQUEST_BYTES = 64 * 1024
# Longer notes on the directory are not sent with the prompt; the worker then reads the directory itself.
MAX_CONTEXT_CHARS = 8 * 1024
# How long a prompt may wait for its answer.
ANSWER_S = 0.3
# The same if the worker is just starting, or if the prompt only asks to recall.
COLD_ANSWER_S = 0.9
# How long a failed call may wait for its lesson: with the start of shell and Python, less than 150 ms.
FAILURE_S = 0.08
ANSWER_LIMIT = 8000
# The beginnings of escaped Latin letters. No agent is known to escape them.
ESCAPED_LETTERS = (b"\\u004", b"\\u005", b"\\u006", b"\\u007")
# Why a prompt got no answer in time.
NO_WORKER = "no worker was running"
STARTING = "the worker was still starting"
HUNG_UP = "the worker ended meanwhile"
TOO_LATE = "the worker took too long"
NOT_READY = "the worker was not ready"

_started = time.monotonic()
# True once the event is saved or its loss reported.
_is_settled = False
# True once standard input was cut off at READ_STOP_S.
_is_late = False
# True while a prompt waits for its answer.
_is_asking = False
# The agent that reports the event; Claude Code's hooks do not name it.
_agent = ""


class KilledError(Exception):
    """The hook was killed after it had read its event."""


def main(event="", *words):
    """Handle one hook call: the payload is on standard input, an answer goes to standard output.

    `words` may be the name of the agent, and "again" where another Python was tried first, and has failed.
    """
    global _agent
    is_again = "again" in words
    _agent = "".join(word for word in words if word != "again")
    if os.environ.get("BEHAVIOR_DISABLE"):
        return
    try:
        _stop_hard()
        payload, is_cut = _read_payload()
        if is_cut and not payload:
            raise TimeoutError
        if is_again and not payload:
            raise KilledError
        if payload.strip() and not _is_skipped(event, payload):
            HANDLERS.get(event, on_event)(event, _without_own_secrets(event, payload), is_cut)
    except BaseException as error:
        if not _is_settled:
            spool.lose(error)


def on_event(event, payload, is_cut, notes=None):
    """Save the event, or report its loss and return the reason. The hook goes on in either case."""
    global _is_settled
    if _agent:
        notes = {**(notes or {}), "client": _agent}
    try:
        spool.put(event if event in HANDLERS else "Other", payload, is_cut, notes)
        _is_settled = True
    except Exception as error:
        _is_settled = True
        spool.lose(error)
        return error
    return None


def on_session_start(event, payload, is_cut):
    """Save the session's start, and start the worker without waiting for it."""
    from behavior_plugin.capture import python_link, trouble, variables, wake

    notes = _whereabouts()
    if _excludes_itself(notes):
        return
    loss = on_event(event, payload, is_cut, notes)
    python_link.refresh()
    found = wake.ensure_worker()
    if found == wake.SILENT:
        wake.replace()
    if loss:
        _warn_user(f"events cannot be saved ({getattr(loss, 'strerror', None) or type(loss).__name__})")
    elif found == wake.NOT_SET_UP:
        _answer(wake.NOT_SET_UP_ANSWER)
    elif not _agent and not _goes_on(payload) and (problem := variables.trouble() or trouble.read()):
        _warn_user(problem)
    if found != wake.RUNNING:  # a worker would do it, if one came up
        wake.spawn_detached(spool.enforce_limits)


def on_session_end(event, payload, is_cut):
    """Save the session's end, and start a worker that has died meanwhile, to learn from the session."""
    from behavior_plugin.capture import wake

    on_event(event, payload, is_cut)
    wake.ensure_worker()


def on_prompt(event, payload, is_cut):
    """Save the prompt, and print the worker's answer to it. A worker that does not answer in time may be frozen.

    Of a prompt that is private as a whole only that is saved: the worker then leaves out the calls that follow it.
    """
    global _is_asking
    from behavior_plugin.capture import ask, wake

    notes = _whereabouts()
    if _excludes_itself(notes):
        return
    if _may_be_private(payload):
        from behavior_plugin.capture import private

        payload, is_private = private.cut_payload(payload)
        if is_private:
            if payload:
                on_event(event, payload, is_cut, notes)
            return
    patience = COLD_ANSWER_S if wake.is_starting() or _is_asked_for(payload) else ANSWER_S
    deadline = _started + min(patience, HARD_STOP_S - 0.05)
    headers = _headers(notes)
    sent = _send_early("/v1/prompt", payload, headers, deadline)
    on_event(event, payload, is_cut, notes)
    _is_asking = True
    try:
        status, text = ask.receive(sent, deadline) if sent else _ask_until(deadline, payload, headers)
    except ask.NotListening:
        _count_unanswered(NO_WORKER)
        wake.ensure_worker()
    except ask.Unanswered:
        _count_unanswered(HUNG_UP)
        wake.ensure_worker()
    except OSError:
        _count_unanswered(TOO_LATE)
        wake.replace()
    else:
        _is_asking = False
        if status == ask.OK:
            _answer(text)
        else:
            _count_unanswered(NOT_READY)


def _count_unanswered(why):
    """Count a prompt that got no answer; the user could not see it otherwise."""
    global _is_asking
    from behavior_plugin.capture import unanswered, wake

    _is_asking = False
    unanswered.count(STARTING if wake.is_starting() else why)


def on_failed_call(event, payload, is_cut):
    """Save the failed call, and print the lesson for it. The hook waits only for a worker that answers at once."""
    from behavior_plugin.capture import ask

    deadline = _started + FAILURE_S
    headers = _headers({})
    sent = _send_early("/v1/failure", payload, headers, deadline)
    on_event(event, payload, is_cut)
    try:
        status, text = ask.receive(sent or ask.send("/v1/failure", payload, deadline, headers), deadline)
        _answer(text if status == ask.OK else b"")
    except OSError:  # a prompt or the next session starts a worker, or replaces a frozen one
        pass


def _headers(notes):
    """The headers of the request: the agent, and the notes on the directory, as ASCII JSON."""
    from behavior_plugin.capture import ask

    noted = ",".join([f"{spool.quote(name)}:{spool.quote(value)}" for name, value in notes.items()])
    headers = [(ask.CONTEXT, "{" + noted + "}")] if noted and len(noted) <= MAX_CONTEXT_CHARS else []
    return [*headers, (ask.AGENT, spool.quote(_agent))] if _agent else headers


def _send_early(path, payload, headers, deadline):
    """The connection of a request under way; None if it has to wait until the event is saved."""
    from behavior_plugin.capture import ask

    try:
        is_early = len(payload) <= MAX_EARLY_REQUEST_BYTES
        return ask.send(path, payload, deadline, headers) if is_early else None
    except Exception:  # nothing here may cost the event, which is not saved yet
        return None


def _ask_until(deadline, payload, headers):
    """The worker's answer; one that is just starting is asked again until it listens."""
    from behavior_plugin.capture import ask, wake

    while True:
        try:
            return ask.ask("/v1/prompt", payload, deadline - time.monotonic(), headers)
        except ask.NotListening:
            if not wake.is_starting() or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


HANDLERS = {
    "SessionStart": on_session_start,
    "UserPromptSubmit": on_prompt,
    "PostToolUse": on_event,
    "PostToolUseFailure": on_failed_call,
    "Stop": on_event,
    "SessionEnd": on_session_end,
}
CALLS = ("PostToolUse", "PostToolUseFailure")


def _read_payload():
    """The bytes of standard input and whether they are not all of it, read up to the limit and the deadline."""
    pieces = []  # type: list[bytes]
    room = PAYLOAD_LIMIT
    while room > 0:
        piece = os.read(0, min(room, 1 << 20))
        if not piece:
            return b"".join(pieces), _is_late
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces), True


def _is_skipped(event, payload):
    """Whether nothing of this event may be kept. Usually there is no file `skip`, and so nothing to read."""
    try:
        os.stat(paths.in_data("skip"))
    except OSError:  # where the folder cannot be searched, nothing can be saved either
        return False
    from behavior_plugin.capture import skip

    reason, pause = skip.why(payload)
    if reason == skip.PAUSED and event == "SessionStart" and not _agent:
        _show_user(f"behavior: paused until {skip.end_of(pause)}: nothing is recorded or suggested.")
    return bool(reason)


def _may_be_private(payload):
    """Whether a payload may hold the tag `<private>`, however it is written; JSON may escape any character."""
    lowered = payload.lower()
    is_named = b"private" in lowered and (b"<" in lowered or b"\\u003c" in lowered)
    return is_named or any(letter in lowered for letter in ESCAPED_LETTERS)


def _excludes_itself(notes):
    """Whether the project's own .behaviorignore excludes all of it. Then the hooks of calls need to know."""
    root = notes.get("root", "")
    if not root or not os.path.lexists(os.path.join(root, ".behaviorignore")):
        return False
    from behavior_plugin.capture import ignore_file, skip

    if not ignore_file.excludes_project(root):
        return False
    skip.add_root(root)
    return True


def _without_own_secrets(event, payload):
    """A call without the secrets of the session's environment."""
    if event not in CALLS:
        return payload
    from behavior_plugin.capture import own_secrets

    return own_secrets.mask(payload)


def _is_asked_for(payload):
    """Whether this is our own command: a guess without parsing, since it only decides how long to wait."""
    return b'"/behavior:' in payload


def _goes_on(payload):
    """Whether a session's start continues one that was shown everything: a guess without parsing, as above."""
    return b'"source":"resume"' in payload or b'"source":"compact"' in payload


def _whereabouts():
    """Notes on the directory. An event without them is better than none."""
    from behavior_plugin.capture import context

    try:
        return context.describe(os.getcwd())
    except Exception:  # the directory was deleted under the session, or something unforeseen
        return {}


def _answer(text):
    if text and len(text) <= ANSWER_LIMIT:
        os.write(1, text)


def _warn_user(problem):
    """Show a warning in the session: agents do not show a hook's stderr."""
    _show_user(f"behavior: {problem}; `behavior doctor` says what to do.")


def _show_user(text):
    _answer(f'{{"systemMessage":{spool.quote(text)}}}'.encode("ascii"))


def _stop_hard():
    """Exit with 0 long before the agent's timeout, and before that stop waiting for input."""
    import _signal

    _signal.signal(_signal.SIGALRM, _be_late)
    _signal.setitimer(_signal.ITIMER_REAL, READ_STOP_S, HARD_STOP_S - READ_STOP_S)


def _be_late(*_):
    """The first alarm ends standard input for its reader; the second ends the hook."""
    global _is_late
    if _is_late:
        if not _is_settled:
            spool.lose(TimeoutError())
        elif _is_asking:
            _count_unanswered(TOO_LATE)
        os._exit(0)
    _is_late = True
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
