"""Questions that look alike and ask the opposite: negation, opposites, reversals of direction, another question word.

Vectors of meaning put these nearer than paraphrases, so they are looked for word by word. In doubt two are different.
English. Pure.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from mainstay.caching.opposites import OPPOSITES
from mainstay.caching.words import Word, is_content, split, unify

__all__ = ["METHOD", "PLACE", "THING", "asks", "negations", "opposite", "polarity_differs", "swapped"]

_NO: Final = """not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely except
    unless lack lacks lacking stop quit avoid prevent refuse fail fails failed instead non"""
_NEGATION: Final = frozenset(_NO.split())
#: Beginnings that turn a word around, where the rest stands in the other text.
_PREFIXES: Final = ("un", "in", "im", "il", "ir", "dis", "non", "de", "anti", "mis")
#: Kinds of answers that are asked for.
METHOD: Final = "method"
PLACE: Final = "place"
THING: Final = "thing"
_REASON, _TIME, _PERSON = "reason", "time", "person"
_AMOUNT, _COUNT, _SPAN, _OFTEN, _AGE, _WHETHER = "amount", "count", "span", "often", "age", "whether"
_FORMS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (_AMOUNT, r"\bhow (?:much)\b(?! time| longer)|\b(?:cost|price|fee|fees|salary) of\b|\bhow expensive\b"),
        (_COUNT, r"\bhow many\b|\b(?:the |total )number of\b"),
        (_SPAN, r"\bhow long\b|\bhow much time\b|\bhow much longer\b|\bhow fast\b|\bhow soon\b"),
        (_OFTEN, r"\bhow (?:often|frequently)\b"),
        (_AGE, r"\bhow old\b|\bwhat age\b"),
        (
            _REASON,
            r"\bwhy\b|\bhow come\b|\b(?:reasons?|causes?)\b|\bwhat (?:makes|made|caused|causes)\b|\bwhat for\b",
        ),
        (_TIME, r"\bwhen\b|\bwhat time\b|\bwhat (?:date|day|year)\b|\bwhich (?:date|day|year)\b"),
        (PLACE, r"\bwhere\b|\b(?:what|which) (?:place|places|site|sites|website|websites|country|city)\b"),
        (_PERSON, r"\bwho\b|\bwhom\b|\bwhose\b|\b(?:which|what) (?:person|people|actor|author)\b"),
        (
            METHOD,
            r"\bhow\b|\b(?:way|ways|steps|tips|method|methods|procedure|process|trick|tricks|technique|techniques)\b",
        ),
        (THING, r"\bwhat\b|\bwhich\b"),
        (_WHETHER, r"\b(?:is|are|was|were|do|does|did|can|could|will|would|should|shall|may|might|has|have|had)\b"),
    )
)
_ASKING: Final = re.compile(r"\b(?:why|how|when|where|who|whom|whose|what|which)\b")
#: Pairs of kinds that one question may well have: "what should I do" and "how do I".
_MIX: Final = (
    frozenset({THING, METHOD}),
    frozenset({THING, PLACE}),
    frozenset({THING, _PERSON}),
    frozenset({THING, _TIME}),
    frozenset({THING, _AMOUNT}),
    frozenset({THING, _REASON}),
    frozenset({_AMOUNT, _COUNT}),
)
_HEADS: Final = "to from into onto than over under by in with for of as on at before after against without via through"
#: Words that weigh one side against the other.
_WEIGHING: Final = frozenset(
    {"best", "worst", "good", "bad", "better", "worse", "most", "least", "more", "less", "i", "you"}
)
#: Whose something is: of who asks, of who is asked, of another.
_OWNERS: Final = {
    **dict.fromkeys(("my", "mine", "our", "ours"), 1),
    **dict.fromkeys(("your", "yours"), 2),
    **dict.fromkeys(("his", "her", "hers", "their", "theirs", "someone", "somebody", "others"), 3),
}
_AUXILIARY: Final = "am|are|is|was|were|do|does|did|can|could|will|would|should|have|has|had|may"
_SUBJECTS: Final = re.compile(rf"(?:who|what|where|how|why)?\s*(?:{_AUXILIARY}) (i|we|you|he|she|they)\b")
_DIRECTIONS: Final = frozenset(_HEADS.split())


def negations(words: Sequence[Word]) -> int:
    """Return how many words of ``words`` say no."""
    return sum(word.lower in _NEGATION for word in words)


def opposite(first: Sequence[Word], second: Sequence[Word]) -> str | None:
    """Return a word of ``first`` whose opposite stands in its place in ``second``, or one turned around by its
    beginning (``able`` and ``unable``); None where there is none."""
    mine, theirs = {word.lower for word in first}, {word.lower for word in second}
    stems, others = {word.stem for word in first}, {word.stem for word in second}
    for word in first:
        if word.lower in theirs or word.stem in others:
            continue
        for form in {word.lower, word.stem}:
            for other in OPPOSITES.get(form, ()):
                if (other in theirs and other not in mine) or (other in others and other not in stems):
                    return word.lower
        for a, b in _turned(word.stem):
            if (a in others and b == word.stem) or (b in others and a == word.stem):
                return word.lower
    for word in second:
        if word.stem not in stems and any(plain in stems and plain not in others for plain, _ in _turned(word.stem)):
            return word.lower
    return None


def _turned(word: str) -> Iterable[tuple[str, str]]:
    for prefix in _PREFIXES:
        if word.startswith(prefix) and len(word) - len(prefix) >= 3:
            yield word[len(prefix) :].lstrip("-"), word


@lru_cache(1024)
def asks(text: str) -> str:
    """Return what kind of answer ``text`` asks for, "" where it is no question of a kind that is known.

    A question word counts before a noun that hints at the same; of several kinds the first of the text.
    """
    lower = unify(text).casefold()
    start = _ASKING.search(lower)
    if start is None:
        first = lower.split(" ", 1)[0] if lower else ""
        if _FORMS[-1][1].fullmatch(first):
            return _WHETHER
        found = next((kind for kind, form in _FORMS[:-2] if form.search(lower)), "")
        return "" if found == _WHETHER else found
    # An auxiliary before the question word: "do you know how", "can you tell me why", "is there a way".
    rest = lower[start.start() :]
    word = start[0]
    if word in ("what", "which"):
        head = " ".join(rest.split()[:8])
        for kind, form in _FORMS[:-2]:
            if kind in (_REASON, METHOD, _TIME, PLACE, _PERSON, _COUNT, _AMOUNT) and form.search(head):
                return kind
        return THING
    head = " ".join(rest.split()[:3])
    return next((kind for kind, form in _FORMS if form.match(head)), "")


def _kinds_differ(first: str, second: str) -> bool:
    mine, theirs = asks(first), asks(second)
    return bool(mine and theirs and mine != theirs and frozenset({mine, theirs}) not in _MIX)


def _roles(words: Sequence[Word]) -> dict[str, str]:
    """Return for each word of matter the preposition it hangs on, "" for none."""
    roles: dict[str, str] = {}
    last, far = "", 0
    for word in words:
        if is_content(word) or word.lower in _WEIGHING:
            roles.setdefault(word.stem, last)
            # A preposition reaches over its noun: "from new york to paris".
            far += 1
            if far >= 3:
                last = ""
        elif word.lower in _DIRECTIONS:
            last, far = word.lower, 0
        elif word.lower in ("and", "or", "vs", "versus", "a", "an", "the", "my", "your", "his", "her", "our", "their"):
            continue
        else:
            last, far = "", 0
    return roles


def swapped(first: Sequence[Word], second: Sequence[Word]) -> str | None:
    """Return a word that has changed places with another (``A to B`` and ``B to A``), None where none has."""
    mine = [word for word in first if is_content(word) or word.lower in _WEIGHING]
    theirs = [word for word in second if is_content(word) or word.lower in _WEIGHING]
    places = {word.stem: at for at, word in reversed(list(enumerate(theirs)))}
    shared = list(dict.fromkeys(word.stem for word in mine if word.stem in places))
    if len(shared) < 2:
        return None
    here, there = _roles(first), _roles(second)
    named = _named(first) & _named(second)
    joined = _joined(first) | _joined(second)
    for at, one in enumerate(shared):
        for other in shared[at + 1 :]:
            if places[one] < places[other] or frozenset({one, other}) in joined:
                continue
            if here[one] == there[other] and here[other] == there[one]:
                return one
            if one in named and other in named:
                # "How A sees the sale of B" is not "how B sees the sale by A".
                return one
    return None


def _named(words: Sequence[Word]) -> set[str]:
    """Return words that are written as names are, inside the text."""
    return {word.stem for word in words[1:] if word.text[:1].isupper() and is_content(word)}


def _joined(words: Sequence[Word]) -> set[frozenset[str]]:
    """Return pairs of words that stand beside each other or on the two sides of ``and`` or ``or``."""
    found = set()
    for at, word in enumerate(words[1:-1], 1):
        if word.lower in ("and", "or", "vs", "versus"):
            left = next((w.stem for w in reversed(words[:at]) if is_content(w)), "")
            right = next((w.stem for w in words[at + 1 :] if is_content(w)), "")
            found.add(frozenset({left, right}))
    return found


def _owners(words: Sequence[Word]) -> frozenset[int]:
    return frozenset(_OWNERS[word.lower] for word in words if word.lower in _OWNERS)


def _subject(text: str, kind: str) -> str:
    """Return whom a question is about where that is no manner of speaking: "can I" is not "can you", "how do I" is
    "how do you"."""
    found = _SUBJECTS.match(unify(text).casefold())
    if found is None or kind not in (_WHETHER, _PERSON):
        return ""
    return {"we": "i"}.get(found[1], found[1])


def _persons_differ(first: str, second: str, mine: Sequence[Word], theirs: Sequence[Word]) -> bool:
    here, there = _owners(mine), _owners(theirs)
    if asks(first) == METHOD == asks(second):
        # Who asks for a way means anybody: "improve my skills", "improve your skills".
        here, there = here & {3}, there & {3}
    if here != there and ((here and there) or 3 in here | there):
        return True
    one, other = _subject(first, asks(first)), _subject(second, asks(second))
    return bool(one and other and one != other)


def polarity_differs(first: str, second: str) -> str | None:
    """Return why ``second`` asks something else than ``first`` in like words, None where it does not."""
    mine, theirs = split(first), split(second)
    if negations(mine) % 2 != negations(theirs) % 2:
        return "negation"
    if (word := opposite(mine, theirs)) or (word := opposite(theirs, mine)):
        return f"opposite of {word}"
    if _kinds_differ(first, second):
        return f"{asks(first)} or {asks(second)}"
    if _persons_differ(first, second, mine, theirs):
        return "another person"
    if word := swapped(mine, theirs):
        return f"{word} in another place"
    return None
