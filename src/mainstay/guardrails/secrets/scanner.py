"""Finds secrets in a text: credentials by their form, passwords by where they stand, and private keys.

Two scanners, since they reach differently: :class:`SecretScanner` looks at hundreds of characters, :class:`KeyBlocks`
at the thousands that a private key takes. Both say what of a text is *settled*: whatever comes after, its verdict
stands. So a stream is held back by an unfinished word, not by the whole reach. Knows no prompts and no routes.
"""

import heapq
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from mainstay.guardrails.port import Finding
from mainstay.guardrails.secrets.chance import (
    entropy,
    is_basic,
    is_made_up,
    is_password,
    is_random,
    is_uuid,
    words_share,
)
from mainstay.guardrails.secrets.rules import Form, Rule, all_rules, compile_rule

__all__ = ["KeyBlocks", "SecretScanner", "owned"]

#: Characters that a pattern may look at before where it begins.
_BEHIND: Final = 8
#: No credential of a fixed form is shorter: where no run of characters is so long, none is looked for.
_RUN: Final = re.compile(r"[A-Za-z0-9_\-./+=~:$%@]{14,}")
#: What follows a name that is assigned to: a sign and a value with a figure or a capital in it, as every secret has.
_ASSIGNED: Final = re.compile(
    r"(?:[=:>,]|(?:is|was)(?=[ ]))[ \t]{0,4}(?:[bBrRfFuU]{0,2}\\{0,2}[\"'`]|[(>])?"
    r"(?=[^\s\"'`]{0,200}[0-9A-Z\u0080-\U0010ffff])[^\s\"'`]{8}"
)
#: Characters before that sign in which the name stands.
_NAME: Final = 96
_WORDY: Final = 0.5
#: What may end a value without quotes; a bracket would make it a call, a point an attribute.
_ENDS: Final = frozenset(" \t\r\n,;)}]<\"'`\\|&")
_TAIL: Final = ".,;:!?"
#: A value without quotes that has one is a call or an index.
_CODE: Final = re.compile(r"[(\[]")


class SecretScanner:
    """Finds credentials; see :class:`~mainstay.guardrails.port.Scanner`. No finding holds a blank.

    Args:
        rules: what to look for; absent, everything that is known.
        allow: values that may pass, whatever rule finds them: patterns that match the whole value.

    Raises:
        ConfigError: a rule or a pattern cannot be used.
    """

    def __init__(self, rules: Iterable[Rule] | None = None, allow: Iterable[str] = ()) -> None:
        known = all_rules()
        forms = [compile_rule(rule) for rule in (known if rules is None else rules)]
        fixed: dict[str, list[Form]] = {}
        named: dict[str, list[Form]] = {}
        folded: dict[str, list[Form]] = {}
        loose: dict[str, list[Form]] = {}
        for form in forms:
            rule = form.rule
            for anchor in rule.anchors:
                if rule.value or rule.fold:
                    (named if rule.value else folded).setdefault(anchor.lower(), []).append(form)
                else:
                    (fixed if rule in known and _is_run(rule) else loose).setdefault(anchor, []).append(form)
        self._fixed, self._named = tuple(fixed.items()), tuple(named.items())
        self._folded, self._loose = tuple(folded.items()), tuple(loose.items())
        self._kinds = frozenset(form.rule.kind for form in forms)
        longest = max((form.rule.span + form.rule.back for form in forms), default=0)
        # A candidate depends on its own span; whose a character is depends on the candidates that overlap there.
        self._reach = 2 * longest + _BEHIND
        self._allow = re.compile("|".join(f"(?:{one})" for one in allow)) if allow else None

    @property
    def kinds(self) -> frozenset[str]:
        """See the port."""
        return self._kinds

    @property
    def reach(self) -> int:
        """See the port."""
        return self._reach

    def settled(self, text: str) -> int:
        """Return how many characters of ``text``, from its start, are judged alike whatever follows it."""
        at = len(text)
        least = max(0, at - self._reach)
        while at > least and not text[at - 1].isspace():
            at -= 1
        return at

    def scan(self, text: str) -> Sequence[Finding]:
        """See the port."""
        found: list[Finding] = []
        runs = "\n".join(_RUN.findall(text))
        if runs:
            for anchor, forms in self._fixed:
                if anchor in runs:
                    self._try(text, text, anchor, forms, found)
        for anchor, forms in self._loose:
            if anchor in text:
                self._try(text, text, anchor, forms, found)
        folded = text.lower()
        if len(folded) != len(text):
            # One capital has two characters in small letters: places would no longer agree.
            folded = text.replace("\u0130", "i").lower()
        for anchor, forms in self._folded:
            if anchor in folded:
                self._try(text, folded, anchor, forms, found)
        names = "\n".join([folded[max(0, at - _NAME) : at] for at in map(re.Match.start, _ASSIGNED.finditer(text))])
        if names:
            for anchor, forms in self._named:
                if anchor in names:
                    self._try(text, folded, anchor, forms, found)
        return owned(found) if len(found) > 1 else found

    def _try(self, text: str, folded: str, anchor: str, forms: Sequence[Form], found: list[Finding]) -> None:
        """Try ``forms`` wherever ``anchor`` stands in ``folded``, which is ``text`` or the same in small letters."""
        at = folded.find(anchor)
        while at >= 0:
            for form in forms:
                rule = form.rule
                begin = max(0, at - rule.back)
                end = begin + rule.back + rule.span
                match = form.pattern.search(text, begin, end) if rule.back else form.pattern.match(text, at, end)
                if match is not None and (place := self._place(text, form, match)) is not None:
                    found.append(Finding(place[0], place[1], rule.kind, rule.score, rule.id))
            at = folded.find(anchor, at + 1)

    def _place(self, text: str, form: Form, match: re.Match[str]) -> tuple[int, int] | None:
        """Return where the secret stands that ``match`` shows, None if it is none."""
        rule = form.rule
        start, end = match.span("value")
        if form.assigned:
            end = _value_end(text, match, start, end)
        value = text[start:end]
        if len(value) < 3 or (rule.entropy and entropy(value) < rule.entropy):
            return None
        if rule.filter in ("random", "key"):
            fits = is_random(value) or (rule.filter == "key" and is_uuid(value))
        elif rule.filter == "password":
            fits = is_password(value)
        elif rule.filter == "basic":
            fits = is_basic(value)
        else:
            fits = not rule.words or words_share(value) < _WORDY
        if not fits or is_made_up(value, free=bool(rule.filter), repeats=rule.repeats):
            return None
        if form.allow is not None and form.allow.search(value):
            return None
        if self._allow is not None and self._allow.fullmatch(value):
            return None
        return start, end


def _is_run(rule: Rule) -> bool:
    """Return whether what ``rule`` finds is one run of characters, as a token is; no row of ours finds shorter ones."""
    return "(?P<value>" not in rule.pattern and all(_RUN.fullmatch(anchor * 14) for anchor in rule.anchors)


def _value_end(text: str, match: re.Match[str], start: int, end: int) -> int:
    """Return where an assigned value ends, ``start`` where it is none: part of a sentence, a call, a longer text."""
    after = text[end : end + 1]
    if match["quote"]:
        # Up to the closing quote, escaped or not; otherwise blanks or such stand in it, and it is prose.
        if after == match["quote"]:
            return end - 1 if text[end - 1] == "\\" else end
        return end if after == "\\" and text[end + 1 : end + 2] == match["quote"] else start
    if (after and after not in _ENDS) or _CODE.search(text, start, end) is not None:
        return start
    while end > start and text[end - 1] in _TAIL:
        end -= 1
    return end


_BEGIN: Final = "-----BEGIN "
_HEAD: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
#: Lines of base64 with their heads, as they stand in a file, a JSON string, or code that joins strings.
_BODY: Final = re.compile(r"(?:[A-Za-z0-9+/=\s\\\"',:.()]|-(?!----))*")
_END: Final = re.compile(r"-----END (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PUTTY: Final = "PuTTY-User-Key-File-"
_PUTTY_BLOCK: Final = re.compile(
    r"PuTTY-User-Key-File-[23]: \S{1,40}\s[\s\S]{0,4000}?Private-Lines: \d{1,3}\s{1,2}"
    r"(?:[A-Za-z0-9+/=]{1,64}\s{1,2}){1,80}"
)
_LETTERS: Final = re.compile(r"[A-Za-z0-9+/]{16,}")
_LEAST_LETTERS: Final = 40


class KeyBlocks:
    """Finds private keys in blocks of lines (PEM, OpenSSH, PGP, PuTTY), finished or cut off; see the port."""

    kinds = frozenset({"private_key"})
    #: Characters: an RSA key of 8,192 bits takes 6,400.
    reach = 8192

    def settled(self, text: str) -> int:
        """Return how many characters of ``text``, from its start, are judged alike whatever follows it."""
        size = len(text)
        least = max(0, size - self.reach)
        begin = max(text.rfind(_BEGIN, least), text.rfind(_PUTTY, least))
        if begin >= 0:
            head = text.find("-----", begin + len(_BEGIN), begin + 80)
            stop = _END.search(text, head) if head >= 0 else None
            return begin if stop is None else _unbegun(text, stop.end())
        return _unbegun(text, least)

    def scan(self, text: str) -> Sequence[Finding]:
        """See the port."""
        found: list[Finding] = []
        at = text.find(_BEGIN)
        while at >= 0:
            head = _HEAD.match(text, at)
            if head is not None and (end := _block_end(text, head.end(), at + self.reach)):
                found.append(Finding(at, end, "private_key", 0.99, "private-key-block"))
            at = text.find(_BEGIN, at + 1)
        at = text.find(_PUTTY)
        while at >= 0:
            block = _PUTTY_BLOCK.match(text, at, at + self.reach)
            if block is not None:
                found.append(Finding(at, block.end(), "private_key", 0.99, "putty-key"))
            at = text.find(_PUTTY, at + 1)
        return owned(found) if len(found) > 1 else found


def _block_end(text: str, at: int, most: int) -> int:
    """Return where the block whose head ended at ``at`` ends, 0 if there is no key in it."""
    body = _BODY.match(text, at, most)
    end = body.end() if body is not None else at
    if sum(map(len, _LETTERS.findall(text, at, end))) < _LEAST_LETTERS:
        return 0
    tail = _END.match(text, end, most)
    return end if tail is None else tail.end()


def _unbegun(text: str, least: int) -> int:
    """Return where a tail of ``text`` begins that may become a head, its length if none does."""
    for mark in (_BEGIN, _PUTTY):
        for size in range(min(len(mark) - 1, len(text) - least), 0, -1):
            if text.endswith(mark[:size]):
                return len(text) - size
    return len(text)


def owned(candidates: Sequence[Finding]) -> list[Finding]:
    """Return ``candidates`` without overlaps: each character belongs to the surest, then the longest, that covers it.

    Whose a character is depends on nothing but the candidates that cover it, so windows agree with the whole.
    """
    ordered = sorted(candidates, key=lambda one: one.start)
    edges = sorted({one.start for one in ordered} | {one.end for one in ordered})
    heap: list[tuple[float, int, int, str, Finding]] = []
    result: list[Finding] = []
    last: Finding | None = None
    taken = 0
    for left, right in itertools.pairwise(edges):
        while taken < len(ordered) and ordered[taken].start == left:
            one = ordered[taken]
            heapq.heappush(heap, (-one.score, one.start - one.end, one.start, one.rule, one))
            taken += 1
        while heap and heap[0][-1].end <= left:
            heapq.heappop(heap)
        owner = heap[0][-1] if heap else None
        if owner is not None:
            if owner is last:
                result[-1] = msgspec.structs.replace(result[-1], end=right)
            else:
                result.append(msgspec.structs.replace(owner, start=left, end=right))
        last = owner
    return result
