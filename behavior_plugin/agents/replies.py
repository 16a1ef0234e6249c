"""Recognise bare replies: prompts that only answer, agree, refuse, pick or report, and name no work of their own.

"no, do it differently" and "folded in" mean something only after the work before them, so they neither name a job nor
recall a pattern. English has a grammar of a few rules; in other languages a bare reply has only words of its list. The
lists are here and nowhere else; a language without a list has no bare replies.
"""

from __future__ import annotations

import re
from itertools import islice

# The longest bare reply. A prompt may be as long as a book, so no more words than this are looked at.
MAX_REPLY_WORDS = 8
# The longest one that does not begin like a reply: "undo that".
MAX_BARE_WORDS = 4
# The longest word of a language without spaces.
MAX_UNSPACED_CHARS = 20

_WORD = re.compile(r"[^\W_]+")
_HESITATION = re.compile(r"h+m+|u+h*m+|a+h+|o+h+|e+h+|m+h+m*")

# Words that begin a reply.
_OPENERS = frozenset(
    """
    yes yep yeah yup yea y no nope nah ok okay k sure great nice perfect cool awesome thanks thank correct exactly
    agreed absolutely definitely wait sorry still not alright lgtm
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
_GO = frozenset({"ahead", "on", "for", "with"})
# Words that say yes, no or go on, and all that name nothing: pronouns, auxiliaries, particles.
_EMPTY = _OPENERS | frozenset(
    """
    n fine good please continue proceed resume go ahead do does did done doing both all correct right looks seems sounds
    again try retry next now then and keep going stop option a b c d agree works working work well is of course carry
    first second third one two three last other others same better best wrong quickly already later first
    i me my we us our you your he she they it its this that these those them there here the an so to in on at up down
    out off back over for with from by as if but or because than too also just really very maybe more less like about
    am are was were be been being has have had will would can could should may might must let lets make get got
    what why how when where which who any some every everything anything nothing something not only even yet
    differently instead else away sense
    don doesn didn isn aren wasn won can couldn shouldn wouldn haven hasn ain t s m d ve ll re
    whats thats lets dont doesnt didnt isnt cant wont im ive youre youd id ill
    """.split()  # noqa: SIM905
)
# Short objects and subjects.
_PRONOUNS = frozenset("it this that these those them both all everything me us one i we they".split())  # noqa: SIM905
# A job that people name in one word, also behind a "yes": "ok push it", "now the tests".
_JOBS = frozenset(
    """
    branch build bump changelog ci comit commit coverage deploy docs format install lint main master merge migrate pr
    prs publish pull push rebase release review ship squash stash tag test tests typecheck update upgrade version
    """.split()  # noqa: SIM905
)

# The words of bare replies in other languages.
_SPACED = {
    "de": """
        ja jo jawohl jep nein nee doch ok okay gut super perfekt prima toll genau richtig stimmt passt klar gerne gern
        bitte danke weiter mach machen mal es das so los nochmal noch einmal beides alle alles nicht falsch stopp warte
        fertig erledigt funktioniert jetzt geht sieht aus schön und die der erste zweite dritte einverstanden
        """,
    "fr": """
        oui ouais non si ok okay d accord bien parfait super merci continue continuez vas y allez allez fais le la les
        ça ca c est bon exact exactement encore s il te vous plaît plait stop attends tout tous les deux marche
        fonctionne maintenant faux et fait terminé premier première deuxième
        """,
    "es": """
        sí si no vale ok okay bien perfecto genial gracias continúa continua sigue adelante hazlo haz eso así asi claro
        exacto correcto por favor de acuerdo otra vez todo todos ambos para espera funciona ahora mal y listo hecho el
        la lo primero primera segundo segunda
        """,
    "pt": """
        sim não nao ok okay bom ótimo otimo perfeito obrigado obrigada continua continue siga pode seguir faz faça isso
        assim claro exato certo por favor de novo tudo todos ambos espera funciona agora errado e pronto feito o a
        """,
    "ko": """
        네 넵 예 응 아니 아니요 아니오 좋아 좋아요 좋습니다 오케이 계속 계속해 계속해줘 계속해주세요 진행 진행해
        진행해줘 진행해주세요 그래 그렇게 해 해줘 해주세요 맞아 맞아요 맞습니다 감사합니다 고마워 다시 됐어 됐습니다
        둘 다 잘 돼 잠깐
        """,
}
_UNSPACED = {
    "ja": """
        はい いいえ うん いや ええ ok 了解 了解です わかりました お願い お願いします 続けて 続けてください 進めて
        ください それで いい いいです よい 大丈夫 です ありがとう ございます もう一度 正しい 違う 違います
        やって 両方 全部 ね よ
        """,
    "zh": """
        是 是的 好 好的 好吧 行 可以 对 对的 不 不是 不对 不行 没问题 继续 请 请继续 吧 谢谢 就这样 这样 再试 一次 重试
        都 要 全部 了 完成 嗯 同意 错了 等等 是的 對 對的 不對 繼續 請 謝謝 沒問題
        """,
}
_LISTS = {language: frozenset(words.split()) for language, words in _SPACED.items()}
_RUNS = {
    language: re.compile(f"(?:{'|'.join(sorted(set(words.split()), key=len, reverse=True))})+")
    for language, words in _UNSPACED.items()
}


def is_bare_reply(text: str) -> bool:
    """Whether a prompt only answers, agrees, refuses, picks or reports; a lone emoji or "?" does."""
    words = [match[0].lower() for match in islice(_WORD.finditer(text), MAX_REPLY_WORDS + 1)]
    if len(words) > MAX_REPLY_WORDS:
        return False
    return not words or _is_english(words) or _is_listed(words)


def _is_english(words: list[str]) -> bool:
    """At most one word names something, and that is no job, behind the opening of a reply or beside a pronoun."""
    words = [word for word in words if not _HESITATION.fullmatch(word)]
    named = [word for word in words if word not in _EMPTY and not word.isdigit()]
    if not named:
        return True
    if len(named) > 1 or named[0] in _JOBS:
        return False
    is_pointing = len(words) <= MAX_BARE_WORDS and not _PRONOUNS.isdisjoint(words)
    return _opens_reply(words) or _is_report(words, named[0]) or is_pointing


def _opens_reply(words: list[str]) -> bool:
    first, second = words[0], words[1] if len(words) > 1 else ""
    return first in _OPENERS or (first == "go" and second in _GO) or (first.isdigit() and second in _EMPTY)


def _is_report(words: list[str], named: str) -> bool:
    """Something was done: "folded in", "I updated it"."""
    return named.endswith("ed") and (words[0] == named or words[0] in _PRONOUNS) and len(words) > 1


def _is_listed(words: list[str]) -> bool:
    return any(words_of.issuperset(words) for words_of in _LISTS.values()) or any(
        all(len(word) <= MAX_UNSPACED_CHARS and run.fullmatch(word) for word in words) for run in _RUNS.values()
    )
