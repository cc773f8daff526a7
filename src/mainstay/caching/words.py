"""Texts as words that can be compared: contractions written out, signs unified, endings taken off.

What the gates and the verifier share. English; other languages are cut at blanks and signs, and their words compared
as they stand. Pure.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["FUNCTION", "Word", "is_content", "split", "stem", "unify"]

_SIGNS: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"'})
#: A word: letters and digits with what may stand inside; ``c++``, ``c#`` and ``.net`` are words, too.
_WORD: Final = re.compile(r"[^\W_]\+\+|\b[a-zA-Z]#|\.(?=net\b)[a-zA-Z]+|[^\W_]+(?:'[^\W_]+)?", re.IGNORECASE)
_SHORT: Final = {
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "ain't": "is not",
    "let's": "let us",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "dont": "do not",
    "doesnt": "does not",
    "didnt": "did not",
    "isnt": "is not",
    "arent": "are not",
    "wasnt": "was not",
    "cant": "can not",
    "couldnt": "could not",
    "wouldnt": "would not",
    "shouldnt": "should not",
    "havent": "have not",
    "hasnt": "has not",
    "whats": "what is",
    "hows": "how is",
    "wheres": "where is",
    "whos": "who is",
    "im": "i am",
    "ive": "i have",
}
_ENDINGS: Final = {"n't": "not", "'re": "are", "'ve": "have", "'ll": "will", "'m": "am", "'d": "would"}
#: After these, 's is "is"; after others it is a genitive, which adds nothing.
_IS: Final = frozenset({"what", "who", "where", "when", "why", "how", "that", "there", "it", "he", "she"})
_FUNCTION: Final = """a an the this that these those some any each every all both such
    i me my mine myself we us our ours you your yours he him his she her hers it its they them their theirs one ones
    am is are was were be been being do does did done doing have has had having can could will would shall should may
    might must ought need
    of in on at by for with about to from into onto upon over under as than like via per within through
    and or but nor so if then else because while although though
    what which who whom whose when where why how whether there here
    not no never none cannot without
    please just really actually very too also ever even still already yet much many more most less least few
    get got getting go going gone want wanted like know tell explain say let make made
    would'd us ok okay hi hello hey thanks thank
    best good better way ways thing things someone somebody anyone anybody people person something anything
"""
#: Words that carry no matter of their own. What turns a question around stands in ``polarity``.
FUNCTION: Final = frozenset(_FUNCTION.split())
_VOWEL: Final = re.compile("[aeiouy]")
_IRREGULAR: Final = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "mice": "mouse", "feet": "foot",
    "teeth": "tooth", "lives": "life", "wives": "wife", "knives": "knife", "leaves": "leave", "went": "go",
    "bought": "buy", "sold": "sell", "made": "make", "lost": "lose", "won": "win", "found": "find", "began": "begin",
    "written": "write", "wrote": "write", "taken": "take", "took": "take", "given": "give", "gave": "give",
    "spoke": "speak", "spoken": "speak", "broke": "break", "broken": "break", "chose": "choose", "chosen": "choose",
    "thought": "think", "told": "tell", "said": "say", "felt": "feel", "left": "leave", "kept": "keep", "paid": "pay",
    "sent": "send", "spent": "spend", "built": "build", "met": "meet", "ran": "run", "drove": "drive", "ate": "eat",
    "grew": "grow", "knew": "know", "became": "become", "came": "come", "saw": "see", "seen": "see", "did": "do",
    "learnt": "learn", "better": "good", "worse": "bad", "worst": "bad", "taught": "teach", "caught": "catch",
    "movies": "movie",
    "dying": "die", "lying": "lie", "tying": "tie", "data": "data", "news": "news", "does": "do", "goes": "go",
    "used": "use", "using": "use",
}  # fmt: skip


class Word(NamedTuple):
    """A word of a text: as written, in lower case, without its ending, and where it begins in the unified text."""

    text: str
    lower: str
    stem: str
    start: int


@lru_cache(8192)
def stem(word: str) -> str:
    """Return a lower-case ``word`` without the endings of number, tense and comparison."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    for ending, rest in (("sses", "ss"), ("ies", "y"), ("ied", "y"), ("ying", "y")):
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            return word[: -len(ending)] + rest
    if word.endswith("s") and word[-2] not in "sui":
        word = word[:-2] if word.endswith(("xes", "ches", "shes", "zes", "oes")) else word[:-1]
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and _VOWEL.search(root):
            word = root[:-1] if root[-1] == root[-2] and root[-1] not in "lsz" else root
            break
    # "make" and "making", "use" and "used": one form, whatever it looks like.
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def is_content(word: Word) -> bool:
    """Whether ``word`` carries matter."""
    return word.lower not in FUNCTION


def _written_out(token: str) -> tuple[str, ...]:
    lower = token.lower()
    if lower in _SHORT:
        return tuple(_SHORT[lower].split())
    for ending, full in _ENDINGS.items():
        if lower.endswith(ending) and len(lower) > len(ending):
            return token[: -len(ending)], full
    if lower.endswith("'s"):
        return (token[:-2], "is") if lower[:-2] in _IS else (token[:-2],)
    return (token,)


def unify(text: str) -> str:
    """Return ``text`` with one kind of quotes and apostrophes, composed, and with single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_SIGNS).split())


def split(text: str) -> tuple[Word, ...]:
    """Return the words of ``text`` in order."""
    found = []
    for match in _WORD.finditer(unify(text)):
        for part in _written_out(match[0]):
            lower = part.casefold()
            found.append(Word(part, lower, stem(lower), match.start()))
    return tuple(found)
