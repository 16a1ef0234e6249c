"""Read the records of a Codex rollout: prompts and turns here, calls in `pending_calls`.

Rollouts have changed. The first ones hold only the messages to and from the model, without times; later ones also have
events, among them prompts and turns; in new ones most things are items that have been completed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from behavior_plugin.agents.codex.hooks import CODEX
from behavior_plugin.agents.codex.pending_calls import CallTracker
from behavior_plugin.agents.fields import START, get_dict, get_id, get_str, message_text, parse_time
from behavior_plugin.agents.session_log import SessionLog
from behavior_plugin.model import MAIN, Context

# Records without anything to learn, or with something that other records have too.
_OTHERS = frozenset(
    """
    compacted ghost_snapshot inter_agent_communication inter_agent_communication_metadata token_usage_record world_state
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
_OTHER_RESPONSES = frozenset(
    """
    additional_tools agent_message compaction compaction_summary compaction_trigger context_compaction ghost_snapshot
    image_generation_call other reasoning
    """.split()  # noqa: SIM905
)
_OTHER_EVENTS = frozenset(
    """
    agent_message agent_reasoning agent_reasoning_raw_content context_compacted entered_review_mode error
    exited_review_mode image_generation_end thread_goal_updated thread_name_updated thread_rolled_back
    thread_settings_applied token_count undo_completed view_image_tool_call warning web_search_end
    """.split()  # noqa: SIM905
)
_OTHER_ITEMS = frozenset(
    """
    AgentMessage ContextCompaction DynamicToolCall EnteredReviewMode ExitedReviewMode HookPrompt ImageGeneration
    ImageView Plan Reasoning Sleep WebSearch
    """.split()  # noqa: SIM905
)
# Text that Codex writes in the user's place, in rollouts without events for prompts.
_NO_PROMPT = (
    "# AGENTS.md instructions",
    "<user_instructions>",
    "<environment_context>",
    "<ENVIRONMENT_CONTEXT>",
    "<permissions instructions>",
    "<recommended_plugins>",
    "<skill>",
    "<subagent_notification>",
    "<turn_aborted>",
    "<user_action>",
    "<user_shell_command>",
)


class Rollout:
    """The state of one thread between records: its turn, and the text that may be a prompt."""

    def __init__(self, session_id: str, actor: str = MAIN) -> None:
        self.session = SessionLog(CODEX, session_id)
        self._calls = CallTracker(self.session, actor)
        self._at = START
        self._is_described = False
        self._turn: str | None = None
        # The turn that the last prompt began, and whether this rollout marks the ends of turns.
        self._prompted: str | None = None
        self._has_ends = False
        # The time of the model's last message, if nothing followed it.
        self._last_words: datetime | None = None
        # The text of that message, or of one that a call followed.
        self._closing = ""
        # A message that may be a prompt, and whether this rollout has events for prompts.
        self._possible_prompt: tuple[str, datetime] | None = None
        self._has_prompts = False

    def close(self) -> None:
        """After the last record: settle the prompt, the turn and the calls that are still open."""
        self._settle_prompt()
        self._end_unmarked_turn()
        self._calls.close()

    def take(self, record: dict[str, Any]) -> str | None:
        """Read one record; returns the reason where it cannot be read."""
        self._at = parse_time(record.get("timestamp")) or self._at
        kind, payload = record.get("type"), record.get("payload")
        if not isinstance(payload, dict):
            return self._unwrapped(record)
        if kind == "response_item":
            return self._response(payload)
        if kind == "event_msg":
            return self._event(payload)
        if kind == "session_meta":
            self._describe(payload)
        elif kind == "turn_context":
            self._begin_turn(payload)
        elif str(kind) not in _OTHERS:
            return f"the record's type is unknown ({str(kind)[:40]})"
        return None

    def _unwrapped(self, record: dict[str, Any]) -> str | None:
        """The oldest rollouts: a description of the thread, then the messages to and from the model."""
        if "type" in record:
            return self._response(record)
        if "record_type" not in record:
            self._describe(record)
        return None

    def _describe(self, payload: dict[str, Any]) -> None:
        """The directory and branch in which the thread began. In a fork, its origin's description follows."""
        if not self._is_described:
            branch = get_str(get_dict(payload, "git"), "branch")
            self.session.context = Context(directory=get_str(payload, "cwd") or "", branch=branch)
        self._is_described = True

    def _begin_turn(self, payload: dict[str, Any]) -> None:
        self._turn = get_id(payload, "turn_id") or self._turn
        if directory := get_str(payload, "cwd"):
            self.session.context = self.session.context.model_copy(update={"directory": directory})

    def _response(self, payload: dict[str, Any]) -> str | None:
        kind = str(payload.get("type"))
        if kind == "message":
            self._message(payload)
        elif kind == "web_search_call":
            self._continue_turn()
            self._calls.on_search(payload, self._at)
        elif kind.endswith("_output"):
            self._calls.on_output(payload, self._at)
        elif kind in ("function_call", "custom_tool_call", "local_shell_call", "tool_search_call"):
            self._continue_turn()
            self._calls.on_call(payload, self._at)
        elif kind not in _OTHER_RESPONSES:
            return f"the item's type is unknown ({kind[:40]})"
        return None

    def _event(self, payload: dict[str, Any]) -> str | None:
        kind = str(payload.get("type"))
        if kind == "user_message":
            self._reported_prompt(get_str(payload, "message") or "")
        elif kind == "item_completed":
            return self._item(get_dict(payload, "item"), payload)
        elif kind in ("task_started", "turn_started"):
            self._has_ends = True
            self._begin_turn(payload)
        elif kind in ("task_complete", "turn_complete"):
            self._closing = get_str(payload, "last_agent_message") or self._closing
            self._end_turn(self._at)
        elif kind == "turn_aborted":
            self._interrupt()
        elif kind in ("patch_apply_end", "exec_command_end", "mcp_tool_call_end"):
            self._calls.on_end(payload, self._at, self._at)
        elif kind == "sub_agent_activity":
            self._calls.on_subagent_activity(payload)
        elif kind not in _OTHER_EVENTS:
            return f"the event's type is unknown ({kind[:40]})"
        return None

    def _message(self, payload: dict[str, Any]) -> None:
        """The model's message ends a turn if nothing follows it; a message in the user's place may be a prompt."""
        role, text = payload.get("role"), message_text(payload.get("content"))
        if role == "assistant":
            self._settle_prompt()
            self._last_words, self._closing = self._at, text
        elif role == "user" and not self._has_prompts and not text.lstrip().startswith(_NO_PROMPT):
            self._settle_prompt()
            self._possible_prompt = (text, self._at)

    def _settle_prompt(self) -> None:
        """In a rollout without events for prompts, a message in a prompt's place was one."""
        possible, self._possible_prompt = self._possible_prompt, None
        if possible and not self._has_prompts:
            self._prompt(*possible)

    def _reported_prompt(self, text: str) -> None:
        self._has_prompts, self._possible_prompt = True, None
        self._prompt(text, self._at)

    def _prompt(self, text: str, at: datetime) -> None:
        if not text.strip():
            return
        self._end_unmarked_turn()
        if self._turn and self._turn == self._prompted:
            self.session.steering(text, at)
        else:
            self.session.prompt(text, at, prompt_id=self._turn)
            self._prompted = self._turn

    def _end_turn(self, at: datetime) -> None:
        self._settle_prompt()
        self.session.end_turn(at, self._closing)
        self._turn, self._last_words, self._closing = None, None, ""

    def _end_unmarked_turn(self) -> None:
        """Rollouts of 2025 do not mark the end of a turn: one that ends with a message, and no call, has ended."""
        if self._last_words and not self._has_ends:
            self._end_turn(self._last_words)

    def _interrupt(self) -> None:
        self._settle_prompt()
        self.session.interrupt()
        self._turn = self._last_words = None

    def _continue_turn(self) -> None:
        """The model calls a tool, so its last message did not end the turn."""
        self._settle_prompt()
        self._last_words = None

    def _item(self, item: dict[str, Any], payload: dict[str, Any]) -> str | None:
        kind = str(item.get("type"))
        if kind == "UserMessage":
            self._turn, self._calls.are_items = get_id(payload, "turn_id") or self._turn, True
            self._reported_prompt(message_text(item.get("content")))
        elif kind in ("CommandExecution", "FileChange", "McpToolCall"):
            self._calls.on_end(item, parse_time(payload.get("started_at_ms")) or self._at, self._at)
        elif kind == "CollabAgentToolCall":
            receivers = item.get("receiver_thread_ids")
            if item.get("tool") == "spawn_agent" and isinstance(receivers, list) and len(receivers) == 1:
                started = {"kind": "started", "event_id": item.get("id"), "agent_thread_id": receivers[0]}
                self._calls.on_subagent_activity(started)
        elif kind == "SubAgentActivity":
            self._calls.on_subagent_activity(item)
        elif kind not in _OTHER_ITEMS:
            return f"the item's type is unknown ({kind[:40]})"
        return None
