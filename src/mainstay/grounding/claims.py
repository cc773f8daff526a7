"""From an answer to its claims: what in it says something that a source could bear out, and how to ask that of one.

Claims are sentences, cut where two clauses stand side by side that each have a verb of their own; rows of tables and
items of lists count as sentences, code as nothing. The same claims come out however the text was cut, since all that
decides lies before a claim's end. The rules know English; what they do not know stays whole. Pure.
"""

import re
from collections.abc import Iterator
from typing import Final

from mainstay.grounding.sentences import Sentences, Stretch

__all__ = ["Claims", "claims", "clauses", "is_checkable", "question_of"]

_FENCE: Final = re.compile(r"[ \t]{0,12}(?:[-*+>] +)?(`{3,}|~{3,})")
_HEADING: Final = re.compile(r"[ \t]{0,3}#{1,6}[ \t]")
_TABLE: Final = re.compile(r"[ \t]*\|")
_RULE: Final = re.compile(r"[ \t]*\|?[ \t:|-]*-[ \t:|-]*\Z")
_WORDS: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_MARK: Final = re.compile(r" ?\[\^?\d{1,3}(?: ?[,;–-] ?\d{1,3}){0,9}\]")
_DRESS: Final = re.compile(r"\*\*|__|(?<!\w)[*_](?=\w)|(?<=[\w.,;:!?])[*_](?!\w)|`")
#: What people and models say besides claims.
_TALK: Final = re.compile(
    r"(?:thanks|thank you|you['’]?re welcome|i['’]?d be (?:happy|glad)|i(?:['’]| a)?m (?:sorry|happy|glad|afraid)|"
    r"let me know|feel free|please|i hope|hope (?:this|that|it)|here (?:is|are)|here['’]?s|below (?:is|are)|let['’]?s|"
    r"let me|i (?:can|will|could)(?:not|n['’]?t)?|i (?:do not|don['’]?t|did not|didn['’]?t)|i (?:was |am )?unable|"
    r"in my opinion|would you|do you|"
    r"(?:the |these |your |provided |given |available )+(?:sources?|documents?|passages?|context|text|excerpts?)"
    r"(?: provided| given)? (?:do|does|did)(?: not|n['’]?t))\b",
    re.IGNORECASE,
)
#: What may also begin a claim, and is none where little follows.
_GREETING: Final = re.compile(
    r"(?:hi|hello|hey|dear|greetings|welcome|good (?:morning|afternoon|evening|question)|great question|sure|certainly|"
    r"of course|absolutely|sorry|apologies|happy to|glad to)\b",
    re.IGNORECASE,
)
_POINTING: Final = re.compile(
    r"(?:it|its|they|them|their|theirs|this|these|those|that|he|him|his|she|her|hers|such|both|neither|the (?:former|"
    r"latter|same|two|first|second|other)|here|there|then|however|therefore|thus|also|similarly|conversely|in contrast|"
    r"as a result|by contrast)\b",
    re.IGNORECASE,
)
_JOINT: Final = re.compile(
    r";\s+(?:(?:and|but|however|moreover|whereas|while|yet|so),?\s+)?|,\s+(?:and|but|whereas|yet|while)\s+"
)
_VERB: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|could|will|would|may|might|must|should|does|do|did|cannot|(?:is|are|was|were"
    r"|has|have|had|could|would|should|does|do|did|ca|wo)n['’]t|became|becomes|began|begins|increases?|increased|"
    r"decreases?|decreased|reduces|reduced|improves|improved|rises|rose|falls|fell|grew|grows|remains?|remained|shows?|"
    r"showed|causes|caused|leads|led|contains?|contained|includes?|included|requires?|required|took|takes|made|"
    r"makes|gave|gives|found|finds|means|meant|occurs?|occurred|uses|used|went|goes|came|comes|says|said)\b"
)
_UNSAFE_LEFT: Final = re.compile(
    r"(?:if|when|whenever|although|though|while|because|since|unless|whether|as|after|before|until|once|given|both|"
    r"either|neither|not only|between|whereas)\b",
    re.IGNORECASE,
)
_UNSAFE_RIGHT: Final = re.compile(
    r"(?:that|which|who|whom|whose|where|when|why|how|whether|if|to|of|in|on|at|by|for|from|with|without|as|than|or|nor|"
    r"not|also|then|thus|so|therefore|because|since|after|before|until|be|been|being)\b",
    re.IGNORECASE,
)
_OPEN, _CLOSED = "([{“«", ")]}”»"


def is_checkable(text: str) -> bool:
    """Return whether ``text`` says something that a source could bear out: no question, greeting, or talk about the
    conversation and its sources."""
    bare = _MARK.sub("", text).strip().strip("*_ \"'”’)")
    if not bare or bare.endswith(("?", "？", ":", "：")):
        return False
    words = _WORDS.findall(bare)
    # Scripts without blanks have few and long words.
    if len(words) < 3 and not any(ord(sign) > 0x2E7F for sign in bare) and not any(sign.isdigit() for sign in bare):
        return False
    if _TALK.match(bare) or (len(words) < 6 and _GREETING.match(bare)):
        return False
    return len(bare) > 2


def question_of(claim: str, before: str = "") -> str:
    """Return the claim as it is asked of a source: without marks and dress, cells of a table side by side, and with
    the sentence ``before`` it where it points back (``it``, ``these``)."""
    said = _DRESS.sub("", _MARK.sub("", claim)).strip()
    if "|" in said:
        said = ", ".join(cell for part in said.split("|") if (cell := part.strip()))
    if before and _POINTING.match(said):
        return f"{question_of(before)} {said}"
    return said


def clauses(text: str) -> list[tuple[int, int]]:
    """Return where the clauses of a sentence lie: one span where it cannot be cut safely."""
    spans: list[tuple[int, int]] = []
    start = 0
    for joint in _JOINT.finditer(text):
        if joint.start() < start or _depth(text[: joint.start()]):
            continue
        following = _JOINT.search(text, joint.end())
        left, right = text[start : joint.start()], text[joint.end() : following.start() if following else len(text)]
        if _stands(left, _UNSAFE_LEFT) and _stands(right, _UNSAFE_RIGHT):
            spans.append((start, joint.start()))
            start = joint.end()
    spans.append((start, len(text)))
    return spans


def _depth(text: str) -> bool:
    """Whether ``text`` ends within brackets or quotation marks."""
    depth = sum(sign in _OPEN for sign in text) - sum(sign in _CLOSED for sign in text)
    return depth > 0 or text.count('"') % 2 == 1


def _stands(text: str, unsafe: re.Pattern[str]) -> bool:
    """Whether a part of a sentence has a subject and a verb, and does not hang on another."""
    if unsafe.match(text) or len(_WORDS.findall(text)) < 3:
        return False
    return any(1 <= len(_WORDS.findall(text[: verb.start()])) <= 14 for verb in _VERB.finditer(text))


class Claims:
    """Finds the claims of one text as it comes: code points of it. A :class:`~mainstay.grounding.spoken.Splitter`.

    Args:
        cut: whether clauses with their own verb are claims of their own.
    """

    __slots__ = ("_cut", "_fence", "_line", "_read", "_sentences", "_table", "_text")

    def __init__(self, *, cut: bool = True) -> None:
        self._cut = cut
        self._sentences = Sentences()
        #: What follows ``_read`` of the whole text; and of its line what has been read, beginning at its start.
        self._text = ""
        self._read = 0
        self._line = ""
        #: The fence that code stands behind, and whether the last line was a row of a table.
        self._fence = ""
        self._table = False

    def feed(self, text: str) -> list[Stretch]:
        """Take more of the text; return the claims that are known to have ended."""
        self._text += text
        return [claim for one in self._sentences.feed(text) for claim in self._claims(one)]

    def finish(self) -> list[Stretch]:
        """The text is over: return what is left."""
        return [claim for one in self._sentences.finish() for claim in self._claims(one)]

    def _claims(self, found: Stretch) -> Iterator[Stretch]:
        before, said = self._text[: found.start - self._read], self._text[found.start - self._read :]
        said = said[: found.end - found.start]
        first = self._walk(before)
        code = bool(self._fence)
        line = self._line
        opens = _FENCE.match(line + said)
        row = _TABLE.match(line) is not None or (first and said.count("|") > 1)
        # The first row of a table names its columns.
        head = row and first and not self._table
        self._walk(said)
        self._text = self._text[found.end - self._read :]
        self._read = found.end
        if code or opens is not None or head or (row and _RULE.match(line + said)):
            return
        if _HEADING.match(line):
            yield Stretch(found.start, found.end, False)
            return
        for start, end in [(0, len(said))] if row or not self._cut else clauses(said):
            sure = found.checkable if row else is_checkable(said[start:end])
            yield Stretch(found.start + start, found.start + end, sure)

    def _walk(self, text: str) -> bool:
        """Read on, line by line; return whether a line began with it."""
        lines = text.split("\n")
        for line in lines[:-1]:
            self._end_line(self._line + line)
            self._line = ""
        began = not self._line.strip(" \t|>*+-")
        self._line += lines[-1]
        return began

    def _end_line(self, line: str) -> None:
        fence = _FENCE.match(line)
        if fence is not None:
            mark = fence[1]
            if not self._fence:
                self._fence = mark
            elif mark[0] == self._fence[0] and len(mark) >= len(self._fence) and not line[fence.end() :].strip():
                self._fence = ""
        self._table = _TABLE.match(line) is not None


def claims(text: str, *, cut: bool = True) -> list[Stretch]:
    """Return the claims of a whole text."""
    found = Claims(cut=cut)
    return found.feed(text) + found.finish()
