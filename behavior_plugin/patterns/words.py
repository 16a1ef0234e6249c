"""The words by which people judge work, go on with it or begin other work, by language, here and nowhere else.

The lists are short and general: openings and turns of phrase, no subjects. A text in a language without a list says
nothing, so it is judged by what was done alone. `*` stands for the rest of a word.
"""

from __future__ import annotations

import re

# People react in their first words; pasted logs and descriptions follow.
MAX_REACTION_WORDS = 40

# The mean length of a word in Japanese and Chinese.
CHARS_PER_WORD = 2

# Kana and Chinese characters; Korean has spaces, but endings.
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_UNBOUNDED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc`", "''''")
_FILLERS = re.compile(r"(?:(?:h+m+|u+h*m+|a+h+|o+h+|well|so|and|ok|okay|please|hey|actually)\b[\s,.!:;-]*)+")


class Phrases:
    """Phrases of several languages, each list separated by commas."""

    def __init__(self, **by_language: str) -> None:
        phrases = [" ".join(each.split()) for listed in by_language.values() for each in listed.split(",")]
        self._pattern = re.compile("|".join(map(_pattern, sorted(phrases, key=len, reverse=True))))

    def within(self, text: str) -> str:
        """The first phrase in a text, as `plain` leaves it; empty if there is none."""
        found = self._pattern.search(text)
        return found[0] if found else ""

    def opens(self, text: str) -> str:
        """The phrase that a text begins with."""
        found = self._pattern.match(text)
        return found[0] if found else ""


def _pattern(phrase: str) -> str:
    spelled = re.escape(phrase).replace(r"\*", r"\w*").replace(r"\ ", " ")
    return spelled if _UNBOUNDED.search(phrase) else rf"(?<![\w'-]){spelled}(?![\w'])"


def plain(text: str) -> str:
    """The first words of a text in lower case, with single spaces and straight apostrophes."""
    return " ".join(text.translate(_APOSTROPHES).lower().split(None, MAX_REACTION_WORDS)[:MAX_REACTION_WORDS])


def count_words(text: str) -> int:
    """The number of words; of a text without spaces, about that number."""
    return len(text.split()) + len(_NO_SPACES.findall(text)) // CHARS_PER_WORD


def without_fillers(text: str) -> str:
    """A plain text without the sounds and small words before its first word that says something."""
    return text[found.end() :] if (found := _FILLERS.match(text)) and found.end() < len(text) else text


# It is good as it is.
PRAISE = Phrases(
    en="""perfect, great, awesome, excellent, nice, thanks, thank you, well done, good job, lgtm, looks good, looks
    great, love it, it works, that works, works now, it's working, that worked, all good, that fixed it, cool""",
    de="perfekt, super, danke, klasse, prima, sieht gut aus, funktioniert jetzt, es funktioniert, läuft jetzt",
    fr="parfait, super, merci, génial, ça marche, ça fonctionne",
    es="perfecto, genial, gracias, excelente, funciona",
    pt="perfeito, ótimo, obrigado, obrigada, funcionou",
    ja="ありがとう, 完璧, 動きました, いいですね",
    zh="完美, 谢谢, 很好, 可以了, 好了",
    ko="완벽, 감사합니다, 고마워, 좋아요, 잘 됩니다",
)
# It does not do what was asked for.
REJECTION = Phrases(
    en="""not what i, that's not, thats not, that is not, this is not, isn't what, wrong, revert*, undo, undid, roll
    back, rolled back, rollback, put it back, start over, still broken, still fail*, still not, still doesn't, still
    does not, still isn't, still an issue, still seeing, still too, still getting, still there, same error, same issue,
    same problem, doesn't work, does not work, didn't work, did not work, doesn't compile, doesn't build, not working,
    isn't working, broken, bugged, you broke, crash*, that's incorrect, nope""",
    de="""nicht was ich, das ist falsch, falsch*, rückgängig, geht nicht, funktioniert nicht, immer noch, kaputt, so
    nicht, klappt nicht""",
    fr="ce n'est pas ça, c'est faux, annule, ne marche pas, ne fonctionne pas, toujours pas, cassé",
    es="no es lo que, está mal, deshaz, no funciona, sigue sin, roto, revierte",
    pt="não é o que, está errado, desfaça, reverta, não funciona, ainda não, quebrado",
    ja="違います, 間違っ, 元に戻, 動かない, 動きません, まだ直",
    zh="不对, 错了, 撤销, 回滚, 不行, 还是不, 没用, 不工作",
    ko="아니라, 틀렸, 되돌려, 안 돼, 안됩니다, 작동하지 않, 여전히",
)
# It is not quite what was asked for, or not all of it.
DOUBT = Phrases(
    en="""works but, work but, but it, but it's, but the, but now, but there, but i, but i've, almost, not quite,
    missing, forgot, are you sure, should not, shouldn't, should have been, instead, not correct*, incorrect*, doesn't,
    does not, didn't, did not, don't see, do not see, can't see, cannot see, can't find, isn't, is not, aren't, are
    not, won't, wait, warnings, a bug, an error, errors, an issue, a problem, problems, fails, failed, failing, still,
    nothing happens, not all, stuck, gone, i meant, i said, i asked, i told you, you missed, why did you, why didn't
    you, you deleted, you removed, don't do that""",
    de="fehlt, fehlen, vergessen, bist du sicher, sollte nicht, stattdessen, aber, fehler, warnung*, nicht ganz",
    fr="presque, manque, oublié, es-tu sûr, devrait, plutôt, mais, erreur*",
    es="casi, falta, olvidaste, estás seguro, debería, en vez de, pero, error*",
    pt="quase, falta, esqueceu, tem certeza, deveria, em vez de, mas, erro*",
    ja="足りない, 忘れ, エラー, 警告, ですが, けど, 本当に",
    zh="缺少, 忘了, 报错, 警告, 但是, 不过, 确定吗",
    ko="빠졌, 빠진, 에러, 오류, 경고, 하지만, 그런데, 확실",
)
# A "no" with more words behind it, at the beginning of a prompt. A bare "no" may answer a question, and "no tests cover
# this" rejects nothing.
REFUSAL = re.compile(
    r"(?:no|nope|nah|nein|non|n\u00e3o)(?:[,.!;:-]+ ?\w| (?:that|this|it|i|you|not|don't|do|use|the)\b)"
    r"(?!.*\b(?:fine|ok|okay|good|thanks|needed)\b)"
)
# A sound of doubt, at the beginning of a prompt.
HESITATION = re.compile(r"(?:h+m+|u+h*m+)\b")
# A prompt to deliver the work has no more words than this.
MAX_DELIVERY_WORDS = 15
# A wish to deliver the work: nobody delivers wrong work.
DELIVERY = Phrases(
    en="""commit*, comit, push, pr, pull request, merge, ship, release, publish, deploy, changelog, tag, fixup, squash,
    amend, fold""",
    de="committe*, einchecken, pushen, mergen, veröffentlich*",
    fr="commite*, pousse, publie",
    es="commitea, sube, publica",
    pt="commita, commite, publique",
    ja="コミット, プッシュ, マージ, リリース",
    zh="提交, 推送, 合并, 发布",
    ko="커밋, 푸시, 머지, 배포",
)
# Other work begins.
NEW_WORK = Phrases(
    en="""implement the following plan, new task, new change, new feature, new issue, new bug, another bug, another
    issue, another task, another thing, next task, next item, next issue, next feature, next up, next todo, back to
    main, back to master, moving on, move on to, unrelated, different topic, something else, separate issue, switching
    to, start a new, new session""",
    de="neue aufgabe, neues thema, nächste aufgabe, nächstes thema, anderes thema, was anderes, zurück auf main",
    fr="nouvelle tâche, autre chose, tâche suivante, autre sujet",
    es="nueva tarea, otra cosa, siguiente tarea, otro tema",
    pt="nova tarefa, outra coisa, próxima tarefa, outro assunto",
    ja="新しいタスク, 次のタスク, 別の件",
    zh="新任务, 下一个任务, 另一个问题, 换个",
    ko="새 작업, 다음 작업, 다른 작업",
)
# Verbs that begin a task of its own, at the beginning of a prompt.
TASK_VERBS = Phrases(
    en="""look at, look into, have a look, take a look, review, investigate, analyze, analyse, rebase, rename, drop,
    bump, switch to, checkout, upgrade, migrate, set up, setup, create, implement, build, write, design, research,
    launch, read, refactor, help me, i want to, i'd like to, i would like to, i need, we need to, let's, can we
    create""",
    de="schau dir, untersuche, analysiere, erstelle, implementiere, baue, schreibe, migriere, ich möchte, wir müssen",
    fr="regarde, analyse, crée, implémente, écris, migre, je veux, je voudrais",
    es="mira, analiza, crea, implementa, escribe, migra, quiero, me gustaría",
    pt="veja, analise, crie, implemente, escreva, migre, quero, gostaria",
    ja="調べて, 作成して, 実装して",
    zh="调查, 分析, 创建, 实现, 编写",
    ko="조사해, 분석해, 만들어, 구현해",
)
# Words that refer to something said or done before.
REFERENCE = Phrases(
    en="""it, its, that, this, these, those, them, they, still, again, instead, also, too, as well, same, previous*,
    earlier, above, you, your, another, other, more, now, back, rest, remaining, else, both""",
    de="es, das, dies*, noch, wieder, auch, stattdessen, vorher*, oben, du, dein*, weitere*, jetzt",
    fr="ça, cela, ceci, encore, aussi, plutôt, même, tu, ton, maintenant",
    es="eso, esto, ese, esta, todavía, otra vez, también, mismo, tu, ahora",
    pt="isso, isto, esse, essa, ainda, também, mesmo, agora",
    ja="それ, これ, その, この, まだ, もう一度, また",
    zh="它, 这, 那, 还, 再, 也, 刚才",
    ko="그것, 이것, 그거, 이거, 아직, 다시, 또",
)
# Openings of an answer.
ANSWER = Phrases(
    en="""yes, yep, yeah, yup, no, nope, ok, okay, sure, go ahead, go with, do #*, do it, do both, option *, continue,
    proceed, right, correct, exactly, thanks, great, nice, perfect, sounds good, agreed""",
    de="ja, nein, ok, gut, weiter, mach weiter, genau, richtig",
    fr="oui, non, d'accord, vas-y, continue",
    es="sí, no, vale, de acuerdo, sigue, continúa",
    pt="sim, não, ok, continue, pode",
    ja="はい, いいえ, 続けて",
    zh="是, 好, 不, 继续, 对",
    ko="네, 아니, 계속, 좋아",
)
# Openings of a question, a complaint or an addition: they go on with the work before.
GOING_ON = Phrases(
    en="""why, what, how, where, when, which, is, are, was, does, do, did, can, can't, could, should, shouldn't, would,
    won't, isn't, doesn't, any, but, or, also, and, then, now, i see, i still, i get, i'm getting, i got, i've, i have,
    i just, i don't, it, that, this, these, there, you, wait, still, only, not, seems, looks""",
    de="""warum, was, wie, wo, wann, ist, sind, kannst, könnte, sollte, aber, oder, auch, und, dann, ich sehe, es, das,
    noch""",
    fr="pourquoi, quoi, comment, où, quand, est-ce, peux-tu, mais, ou, aussi, et, je vois, il, ça",
    es="por qué, qué, cómo, dónde, puedes, pero, o, también, y, veo, eso",
    pt="por que, o que, como, onde, pode, mas, ou, também, e, vejo, isso",
    ja="なぜ, でも, また",
    zh="为什么, 怎么, 但是, 还有",
    ko="왜, 어떻게, 그런데, 그리고",
)
# Openings of a prompt that wants to know something. None of them opens a report of something that is wrong.
QUESTION = Phrases(
    en="""what, what's, why, why's, who, which, where, where's, how, how's, is it, is the, is there, is this, is that,
    are the, are there, are these, are we, was the, were the, does it, does the, does this, does that, do we, do you,
    did we, did you, did the, has the, have we, explain, describe, tell me, show me, summarize, summarise, walk me
    through, list all, list the, list every, list which, count the, count how, find out""",
    de="""was, warum, wieso, weshalb, wer, welche*, wo, wann, wie, gibt es, haben wir, erkläre, erklär, beschreibe,
    zeig, zeige, liste alle, zähle""",
    fr="""qu'est-ce, quoi, pourquoi, quel*, où, comment, est-ce, y a-t-il, explique, décris, montre-moi, liste les,
    compte les""",
    es="qué, por qué, quién, cuál*, dónde, cuándo, cómo, explica, explícame, describe, muéstrame, lista los, lista las",
    pt="o que, por que, quem, qual, quais, onde, como, explique, descreva, mostre, conte",
    ja="なぜ, どうして, 何が, 何を, どこ, いつ, だれ, どの",
    zh="为什么, 什么, 怎么, 哪里, 哪个, 谁, 解释, 告诉我, 列出",
    ko="왜, 무엇, 뭐가, 어디, 언제, 누가, 어떤",
)
# It wants a change all the same.
REPAIR = Phrases(
    en="fix*, repair*, solve*, mend, correct it, change it, make it, make sure, add, please",
    de="behebe, repariere, korrigiere, ändere, füge, bitte",
    fr="corrige, répare, change, ajoute",
    es="corrige, arregla, cambia, añade, agrega",
    pt="corrija, conserte, mude, adicione",
    ja="直して, 修正, 追加",
    zh="修复, 修正, 改, 添加",
    ko="고쳐, 수정, 추가",
)
# Openings of a prompt that takes something away.
UNDOING = Phrases(
    en="""delete the, delete all, delete this, delete that, remove the, remove all, remove this, remove that, drop the,
    disable the, undo the, undo that, undo my, revert, roll back, uninstall, get rid of, take out, rip out, back out""",
    de="lösche, entferne, mach rückgängig, setze zurück, deinstalliere, deaktiviere",
    fr="supprime, enlève, annule, retire, désinstalle, désactive",
    es="borra, elimina, quita, revierte, deshaz, desinstala, desactiva",
    pt="apague, remova, exclua, reverta, desfaça, desinstale, desative",
    ja="削除して, 消して, 元に戻して, 取り消して",
    zh="删掉, 去掉, 移除, 撤销, 回滚, 卸载",
    ko="삭제해, 제거해, 되돌려, 취소해",
)
# Such a prompt may open with these too, or be about a delete button.
MAY_UNDO = Phrases(
    en="delete*, remove*, drop*, disable*, undo, rollback, clear*, truncate*", zh="删除", ko="삭제, 제거, 취소"
)
# Openings of closing words that say how it stands, or what comes next, and not what was changed.
NO_CHANGE = Phrases(
    en="""all done, all good, all green, all set, all tests, all checks, all of the, done, finished, complete, completed
    successfully, ready, perfect, great, good, nice, excellent, yes, yep, no, nope, ok, okay, sure, right, correct,
    exactly, thanks, thank you, sorry, got it, understood, agreed, not, nothing, still, now i, now let, let me, let's,
    i'll, i will, i'm, i am, i need, i can, i could, i cannot, i can't, i don't, i see, i think, i found, i was, here
    is, here are, here's, there is, there are, there's, this is, that is, that's, those are, these are, it is, it's,
    you, you're, your, looks, seems, want, would, should, shall, could, can, do, does, did, is, are, what, why, how,
    when, where, which, who, if, unfortunately, waiting, wait, standing by, summary, status, in summary, the answer,
    the cause, the error, the issue, the problem, the reason, the root cause, the tests pass*, tests pass*""",
    de="""alles, fertig, erledigt, ja, nein, gut, perfekt, super, nicht, nichts, noch, ich werde, ich kann, ich sehe,
    hier ist, hier sind, das ist, es ist, du, soll, kannst, leider, das problem, der fehler, die ursache""",
    fr="""tout est, terminé, c'est fait, oui, non, parfait, super, je vais, je peux, voici, c'est, il y a, tu, vous,
    le problème, l'erreur""",
    es="""todo, listo, hecho, terminado, sí, no, perfecto, voy a, puedo, aquí, esto es, hay, el problema, el error""",
    pt="tudo, pronto, feito, concluído, sim, não, perfeito, vou, posso, aqui, isto é, há, o problema, o erro",
    ja="完了, はい, いいえ, すべて, 問題",
    zh="完成, 好的, 是的, 不, 全部, 一切, 问题",
    ko="완료, 네, 아니, 모두, 문제",
)
# Names of commands that work on what is there.
ON_WORK = frozenset(
    """
    amend changelog commit fix fixup format lint merge pr push review ship simplify squash test tests undo validate
    verify
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
