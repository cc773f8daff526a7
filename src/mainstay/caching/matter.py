"""What a question is about, in a form that does not change with its words: two that differ in it ask two things.

The way of asking is taken off ("how can I", "what is the best way to"), words that carry nothing are dropped, and the
rest, brought to one form and to one word of each group of synonyms, must be the same on both sides: a word on one side
alone is a constraint, another subject or another scope. The kind of question, its tense, what may or should be, whom it
is about and what is best must agree, too. In doubt two are different. English. Pure.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from mainstay.caching.polarity import METHOD, PLACE, THING, asks
from mainstay.caching.synonyms import GROUPS, IDLE, PHRASES
from mainstay.caching.words import split, stem

__all__ = ["Matter", "matter", "matter_differs"]

_WHO: Final = r"(?:i|we|you|one|people|someone|somebody|anyone|anybody|a person|a student|students|beginners)"
_LIKE: Final = (
    r"(?:(?:the|a|an|some|any|your|most|more|very|of|good|best|better|great|right|correct|proper|effective|efficient"
    r"|possible|different|various|ideal|useful|simple|common|top|perfect|easy|easiest|quick|quickest|fast|fastest|safe"
    r"|safest|cheap|cheapest|alternative|alternatives|natural|legal|free|only|other|real|new|easier|faster|and) )*"
)
#: What of that says more than that a way is wanted.
_MORE: Final = frozenset(
    {
        "easy",
        "easiest",
        "easier",
        "quick",
        "quickest",
        "fast",
        "fastest",
        "faster",
        "safe",
        "safest",
        "cheap",
        "cheapest",
    }
    | {"natural", "legal", "free"}
)
_WAY: Final = (
    r"(?:way|ways|method|methods|tip|tips|trick|tricks|step|steps|procedure|procedures|process|processes|technique"
    r"|techniques|strategy|strategies|approach|approaches|idea|ideas|suggestion|suggestions|advice|things? to do"
    r"|keys?)"
)
_TO: Final = (
    rf"(?: (?:and|or) {_WAY})?(?: that (?:i|you|we|one) can(?: use)?| for (?:me|us|you|someone|a beginner))?"
    r" (?:to|of|for|on|about|in|by which)(?: how (?:to|one can|i can|you can))?"
)
#: Ways to ask for a way. What is behind them is what is to be done.
_WAYS: Final = tuple(
    re.compile(form)
    for form in (
        rf"how (?:do|does|can|could|should|would|will|may|might|must|shall|did not) {_WHO}\b(?: (?:go about|possibly"
        r"|best|actually|even|ever|really|have to|need to|be able to))*",
        rf"how (?:can|could|should|would|do|to) (?:{_WHO} )?(?:best )?",
        rf"how {_WHO} (?:can|could|should|would|will|do|must) ",
        r"what (?:should|can|could|must) be done (?:to|for)|what (?:are|is) (?:my|the|your)? ?options? (?:for|to)",
        rf"(?:(?:what|which)(?: (?:is|are|was|were|would be|could be|can be))? )?{_LIKE}{_WAY}{_TO}",
        rf"(?:what|which) {_LIKE}{_WAY} (?:can|could|should|do|must) {_WHO} (?:use|take|follow|apply|do)? ?(?:to|for)",
        rf"what (?:should|can|could|must|do|does|shall|would|will) {_WHO} (?:have to |need to |ought to )?do"
        r"(?: in order)?(?: to| for| so that i can)?",
        rf"(?:is|are) there {_LIKE}{_WAY}{_TO}",
    )
)
_PAST, _FUTURE, _DONE, _MAY, _OUGHT = "past", "future", "done", "may", "ought"
_TIMES: Final = {
    **dict.fromkeys(("did", "was", "were", "had"), _PAST),
    **dict.fromkeys(("will", "would", "shall"), _FUTURE),
    **dict.fromkeys(("can", "could", "may", "might"), _MAY),
    **dict.fromkeys(("should", "must", "ought"), _OUGHT),
}
_BEFORE_HAVE: Final = frozenset({"what", "who", "how", "why", "where", "long", "many", "much", "which"})
_AFTER_HAVE: Final = [[word] for word in ("i", "you", "we", "they", "he", "she", "it", "been")]
_PERSONS: Final = {
    **dict.fromkeys(("i", "me", "my", "mine", "myself", "we", "us", "our", "ours"), 1),
    **dict.fromkeys(("you", "your", "yours", "yourself"), 2),
    **dict.fromkeys(("he", "him", "his", "she", "her", "hers"), 3),
}
_POINTING: Final = re.compile(
    r"\b(?:this|these|the following|(?:image|picture|photo|quote|sentence) (?:above|below))\b"
)
#: Ways to ask for a place.
_PLACES: Final = re.compile(
    rf"(?:what|which|where) (?:is|are) {_LIKE}(?:place|places|site|sites|website|websites)"
    r"(?: to| for| where (?:i|you|we|one) can)?\b"
)
#: Kinds of questions in which whoever asks stands for everybody.
_ANYBODY: Final = frozenset({PLACE, "span", "time"})
#: Words of place and side that two questions may not exchange for one another before the same noun.
_APART: Final = frozenset(
    frozenset(pair)
    for pair in (
        *(("by", other) for other in ("like", "for", "from", "to")),
        *(("from", other) for other in ("to", "for")),
        *(("for", other) for other in ("like", "against")),
        ("with", "without"),
        ("before", "after"),
    )
)
_SIDES: Final = frozenset({"by", "like", "to", "from", "for", "with", "without", "against", "before", "after"})
_ENDING: Final = _SIDES | {"on", "in", "about", "over"}
#: What ends a word without making it another: what is done, and the doing of it.
_ENDS: Final = ("ment", "ation", "tion", "ion", "ing", "ly", "al", "s", "e", "ed", "")
_DIFFERENT: Final = re.compile(r"\bdifferent$")
_QUESTION: Final = "(?=what|which|how|why|where|when|who)"
#: Words before a question that are none of it.
_ASIDE: Final = re.compile(
    r"^(?:(?:please|so|well|hi|hello|hey|ok|okay|and|but) )*"
    r"(?:(?:can|could|will|would) (?:you|anyone|someone|anybody|somebody)(?: please)? (?:tell|explain|say)(?: to)?"
    rf"(?: me| us)? {_QUESTION})?(?:i (?:want|would like|need) to know {_QUESTION})?"
)
_CLOCK: Final = re.compile(r"(?:what|which) (?:time|date|day|year|age|is the (?:best |right |good )?time)\b")
_AND: Final = re.compile(r"\b(?:and|or) (how|why|where|when|what|who|which)\b|\b(how|why|where|when) and\b")
_MARKS: Final = re.compile(r"\?[\s?!\"')]*(?=\w)")
#: What is told of something that was named before, or what somebody has rather than is.
_BACK: Final = re.compile(r"\b(?:of|about|for) (?:that|it|them)$|\blike (?:to have|having)\b")
_NUMBERS: Final = "one two three four five six seven eight nine ten eleven twelve hundred thousand million"
_COUNTED: Final = frozenset(_NUMBERS.split())
#: Words for what something means, and of what they ask more than what it is.
_MEANING: Final = frozenset({"mean", "refer", "definition", "defin", "meaning", "meant"})
_DEEP: Final = frozenset({"life", "lif", "lov", "love", "dream", "nam", "name", "symbol", "tattoo", "song", "existenc"})
#: What is done with what is best: "the best books to read".
_TAKEN: Final = re.compile(r"\bto (?:buy|read|watch|use|see|have|own|get|purchase|play|eat)\b(?! (?:with|for))")
_BEST: Final = frozenset(
    {"best", "good", "great", "top", "greatest", "finest", "ideal", "perfect", "favourite", "favorite"}
)


def _grouped() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for at, group in enumerate(GROUPS):
        for word in group:
            found.setdefault(word, set()).add(at)
    return {word: frozenset(groups) for word, groups in found.items()}


#: The groups of synonyms of each word.
_GROUPS: Final = _grouped()
_NONE: Final[frozenset[int]] = frozenset()


class Matter(NamedTuple):
    """What two questions must have in common.

    ``kind`` is what is asked for, ``time`` when or whether it may be, ``persons`` whom it is about, ``best`` whether
    the best is asked for, ``points`` whether it speaks of something that is not in it, ``words`` what it is about, and
    ``sides`` the preposition before each of them.
    """

    kind: str
    time: str
    persons: frozenset[int]
    best: bool
    points: bool
    words: Counter[str]
    sides: dict[str, str]


@lru_cache(2048)
def matter(text: str) -> Matter:
    """Return what ``text`` is about."""
    words = [word.lower for word in split(text)]
    plain = " ".join(words)
    for phrase, word in PHRASES:
        plain = phrase.sub(word, plain)
    plain = _DIFFERENT.sub("differ", plain)
    plain = _ASIDE.sub("", plain)
    kind, rest = _framed(plain)
    if "best" in rest.split():
        rest = _TAKEN.sub("", rest)
    tokens = rest.split()
    all_words = [] if kind == METHOD else plain.split()
    persons = frozenset(_PERSONS[word] for word in all_words if word in _PERSONS)
    time = _time(all_words)
    if kind in _ANYBODY or time in (_MAY, _OUGHT):
        persons -= {1, 2}
    best = kind != METHOD and any(word in _BEST or word == "most" for word in tokens)
    found, sides = _words(tokens)
    if kind == THING and tokens[-1:] == ["do"]:
        # "What does it do" is not "what is it".
        found["do"] += 1
    if kind == THING and not _DEEP & set(found) and len(found) > 1:
        for word in _MEANING & set(found):
            del found[word]
    found.update(_second(plain, text))
    return Matter(kind, time, persons, best, bool(_POINTING.search(plain)), found, sides)


def _words(tokens: Sequence[str]) -> tuple[Counter[str], dict[str, str]]:
    """Return the words that carry matter, and the preposition before each."""
    found: Counter[str] = Counter()
    sides: dict[str, str] = {}
    last = ""
    for at, word in enumerate(tokens):
        if word in _SIDES:
            last = word
        name = stem(word)
        # What a question ends with is no idle word: "what is it for", "turn it on".
        if (word in IDLE or name in IDLE) and not (word in _ENDING and at == len(tokens) - 1):
            continue
        # Numbers are compared elsewhere.
        if word in _COUNTED or word.isdigit() or word in _PERSONS or word in _BEST:
            continue
        found[name] += 1
        sides.setdefault(name, last)
        last = ""
    return found, sides


def _second(plain: str, text: str) -> Iterator[str]:
    """Yield what is asked besides, by its question word or mark."""
    for one in _AND.finditer(plain):
        yield f"and {one[1]}"
    # The end of a text needs no mark.
    for _ in range(len(_MARKS.findall(text.rstrip("?!. \n\t")))):
        yield "?"
    if back := _BACK.search(plain):
        yield back[0]


def _framed(plain: str) -> tuple[str, str]:
    """Return what kind of answer is asked for, and the words behind the way of asking for it."""
    for way in _WAYS:
        if found := way.match(plain):
            more = " ".join(word for word in found[0].split() if word in _MORE)
            return METHOD, f"{more} {plain[found.end() :]}"
    if found := _PLACES.match(plain):
        return PLACE, plain[found.end() :]
    # "Types of art?" is short for "what are".
    kind = asks(plain) or THING
    if kind == "time" and plain.startswith(("what", "which")) and not _CLOCK.match(plain):
        # "What happens when" asks for no time.
        kind = THING
    # "How is it made", "how did you": no way is asked for that whoever asks could go.
    return "manner" if kind == METHOD else kind, plain


def _time(words: list[str]) -> str:
    for at, word in enumerate(words[:7]):
        if word in _TIMES:
            return _TIMES[word]
        # "Have you ever", "how many have been"; not "what do I have".
        after = words[at + 1 : at + 2]
        if word in ("has", "have") and (at == 0 or words[at - 1] in _BEFORE_HAVE or after in _AFTER_HAVE):
            return "" if after == ["to"] else _DONE
        if word in ("do", "does", "is", "are", "am"):
            return _FUTURE if "going to" in " ".join(words) else ""
    return ""


def matter_differs(first: str, second: str) -> str | None:
    """Return what of two questions is not the same, None where they are about the same."""
    if [word.lower for word in split(first)] == [word.lower for word in split(second)]:
        return None
    one, other = matter(first), matter(second)
    if (found := _frames_differ(one, other)) is not None:
        return found
    for word, side in one.sides.items():
        if frozenset({side, other.sides.get(word, "")}) in _APART:
            return f"{side} {word}"
    mine, theirs = [*(one.words - other.words).elements()], [*(other.words - one.words).elements()]
    for word in mine:
        match = next((there for there in theirs if _alike(word, there)), None)
        if match is None:
            return word
        theirs.remove(match)
    return theirs[0] if theirs else None


def _frames_differ(one: Matter, other: Matter) -> str | None:
    if one.time != other.time and not _same_time(one, other):
        return f"{one.time or 'now'} or {other.time or 'now'}"
    if one.persons != other.persons:
        return "another person"
    if one.best != other.best:
        return "the best"
    if one.points or other.points:
        return "what is not in it"
    return f"{one.kind} or {other.kind}" if one.kind != other.kind else None


def _same_time(one: Matter, other: Matter) -> bool:
    """Whether two times that are not the same make no difference."""
    times = {one.time, other.time}
    if one.kind in (PLACE, "span"):
        # "Where do I find", "where can I find".
        return times <= {"", _MAY, _OUGHT}
    # What somebody has lived through: "what is your worst day", "what was".
    return one.kind == THING and times <= {"", _PAST, _DONE} and 2 in one.persons & other.persons


def _alike(first: str, second: str) -> bool:
    """Whether two words are one: the same stem with another ending, or a slip of the pen."""
    if not _GROUPS.get(first, _NONE).isdisjoint(_GROUPS.get(second, _NONE)):
        return True
    if not (first.isalpha() and second.isalpha()):
        return False
    short, long = sorted((first, second), key=len)
    root = _shared(short, long)
    if root >= 4 and short[root:] in _ENDS and long[root:] in _ENDS:
        return True
    return len(short) >= 6 and _one_slip(short, long)


def _shared(first: str, second: str) -> int:
    at = 0
    while at < min(len(first), len(second)) and first[at] == second[at]:
        at += 1
    return at


def _one_slip(short: str, long: str) -> bool:
    """Whether one letter more, less, other or two exchanged, not at the beginning, make one word of the other."""
    at = _shared(short, long)
    if at < 2:
        return False
    if len(short) == len(long):
        return short[at + 1 :] == long[at + 1 :] or (
            short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
        )
    return len(long) - len(short) == 1 and short[at:] == long[at + 1 :]
