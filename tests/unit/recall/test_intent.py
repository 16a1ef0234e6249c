"""Prompts that name the same things may want the opposite."""

from __future__ import annotations

import pytest

from behavior_plugin.recall.intent import Intent, intent_of


@pytest.mark.parametrize(
    ("prompt", "intent"),
    [
        ("add an export of invoices", Intent.MAKE),
        ("the export of invoices is slow", Intent.MAKE),
        ("can you add an export?", Intent.MAKE),
        ("please fix why the export fails", Intent.MAKE),
        ("why does the export fail?", Intent.KNOW),
        ("ok, so which tests read the export", Intent.KNOW),
        ("explain the export", Intent.KNOW),
        ("whatever happens, keep the export", Intent.MAKE),
        ("remove the export of invoices", Intent.UNDO),
        ("Please revert the last commit", Intent.UNDO),
        ("removed users must not see invoices", Intent.UNSURE),
        # Reports of something that is wrong ask for a change.
        ("does not compile since the update", Intent.MAKE),
        ("is not shown in the list", Intent.MAKE),
        ("when I save, the export is lost", Intent.MAKE),
        ("list view is broken", Intent.MAKE),
        ("delete button is broken", Intent.UNSURE),
        ("undo does not work in the editor", Intent.UNSURE),
        ("why is the total wrong? fix it", Intent.MAKE),
        ("Es fehlt ein Test", Intent.MAKE),
        ("hay un error al guardar", Intent.MAKE),
        ("Warum schlägt der Export fehl?", Intent.KNOW),
        ("Entferne den Export", Intent.UNDO),
        ("为什么导出失败", Intent.KNOW),
        ("删掉导出", Intent.UNDO),
        ("", Intent.MAKE),
    ],
)
def test_the_first_words_show_the_intent(prompt: str, intent: Intent) -> None:
    assert intent_of(prompt) is intent
