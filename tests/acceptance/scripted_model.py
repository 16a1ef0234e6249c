"""A scripted model server, so that the real client runs whole sessions without an account or a network.

It serves the client's only request, a streamed `POST /v1/messages`, on the loopback interface. No answer depends on
an earlier request: the newest prompt in a request selects the play, and the number of answers since that prompt
selects the turn. So retries, resumed sessions and subagents need no special case.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Block = dict[str, Any]
Turn = Sequence[Block]

# Text that the client wraps around a prompt, or adds in the user's name.
CLIENT_TEXT = re.compile(r"<system-reminder>.*?</system-reminder>|\[Request interrupted[^\]]*\]", re.S)


@dataclass(frozen=True)
class Play:
    """The model's turns after a prompt that contains `match`."""

    match: str
    turns: Sequence[Turn]


def say(text: str) -> Block:
    """A block of text."""
    return {"type": "text", "text": text}


def call(tool: str, **arguments: object) -> Block:
    """A tool call; all calls of one turn run in parallel."""
    return {"type": "tool_use", "name": tool, "input": arguments}


def pause(*, delay_s: float) -> Block:
    """Delays the answer of its turn, and is not sent itself."""
    return {"type": "pause", "delay_s": delay_s}


class ScriptedModel:
    """The server, running while the `with` block lasts."""

    def __init__(self, plays: Sequence[Play]) -> None:
        self.plays = plays
        self.requests: list[dict[str, Any]] = []
        self.stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def received_texts(self) -> list[str]:
        """Every string that reached the model as instructions or conversation, in the order it came."""
        return [text for body in self.requests for text in _strings([body.get("system"), body.get("messages")])]

    def answer(self, body: dict[str, Any]) -> Turn:
        """The blocks that continue the conversation in `body`; "OK." if the script has none."""
        prompt, turns_since = _newest_prompt(body.get("messages", []))
        known = [play for play in self.plays if play.match in prompt]
        if not known:
            return [say("OK.")]
        # An unanswered prompt shares its message with the next one, so the last match counts.
        turns = max(known, key=lambda play: prompt.rfind(play.match)).turns
        return turns[turns_since] if turns_since < len(turns) else [say("OK.")]


def _newest_prompt(messages: list[dict[str, Any]]) -> tuple[str, int]:
    turns_since = 0
    for message in reversed(messages):
        turns_since += message["role"] == "assistant"
        if message["role"] == "user" and (prompt := _own_text(message["content"])):
            return prompt, turns_since
    return "", turns_since


def _own_text(content: str | list[Block]) -> str:
    blocks = [say(content)] if isinstance(content, str) else content
    if any(block["type"] == "tool_result" for block in blocks):
        return ""
    text = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    return CLIENT_TEXT.sub("", text).strip()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _stream(turn: Turn, model: str) -> Iterator[dict[str, Any]]:
    """The events of one answer, in the order the Messages API sends them."""
    blocks = [block for block in turn if block["type"] != "pause"]
    has_call = any(block["type"] == "tool_use" for block in blocks)
    usage = {"input_tokens": 100, "output_tokens": 20}
    start = {"id": _new_id("msg"), "type": "message", "role": "assistant", "model": model, "content": []}
    yield {"type": "message_start", "message": start | {"usage": usage}}
    for index, block in enumerate(blocks):
        yield from _stream_block(index, block)
    end = {"stop_reason": "tool_use" if has_call else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": usage}
    yield {"type": "message_stop"}


def _stream_block(index: int, block: Block) -> Iterator[dict[str, Any]]:
    if block["type"] == "tool_use":
        empty = block | {"id": _new_id("toolu"), "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        empty = say("")
        delta = {"type": "text_delta", "text": block["text"]}
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:24]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    model: ScriptedModel


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.startswith("/v1/messages?"):
            self.send_error(404)
            return
        model = self.server.model
        model.requests.append(body)
        turn = model.answer(body)
        # A finished test does not wait for its slow answers.
        model.stopped.wait(sum(block["delay_s"] for block in turn if block["type"] == "pause"))
        self._send(_stream(turn, body["model"]))

    def _send(self, events: Iterator[dict[str, Any]]) -> None:
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
        try:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream; charset=utf-8")
            self.end_headers()
            self.wfile.write("".join(lines).encode())
        except ConnectionError:
            self.close_connection = True  # the client was interrupted

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test's terminal clean."""
