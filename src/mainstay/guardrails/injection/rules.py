"""What injections and jailbreaks are built of, as rows of ``rules.toml``, and where a text is built so.

Patterns are read on the text as ``normalise`` gives it, in small letters, and on every layer that was encoded in it. A
row opens at an *anchor*; only the characters around one are read, so a match depends on its surroundings alone. In a
pattern ``<N>`` is a gap of at most N words and a blank is one to three of any sort, unless the row is ``plain``. Each
match is held against how it is said: who asks what a phrase means, quotes it, or tells that somebody obeyed none, does
not use it (``mentioned``). Pure; read once, when first asked for. Weighing belongs to ``scanner`` and ``features``.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, Literal

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.guardrails.normalise import Normalised

__all__ = ["KINDS", "Hit", "InjectionRule", "Reader", "all_injection_rules"]

#: What a rule may find.
KINDS: Final = ("override", "roleplay", "extraction", "delimiter", "exfiltration", "hidden", "tool", "indirect")

_ROWS = Path(__file__).with_name("rules.toml")
_GAP: Final = re.compile(r"<(\d{1,2})>")
#: Anchors stand at the beginnings of words: so many letters of their longest one are looked up.
_WORDS: Final = re.compile(r"[a-z]+")
_PREFIX: Final = 4
#: Characters before a match, and after it, in which it shows how it is said.
_BEFORE, _AFTER = 120, 60

_QUOTES: Final = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "„": "“", "(": ")"}
#: What people say who speak about such a phrase: of its meaning, of attacks, of who said it.
_ABOUT: Final = re.compile(
    r"\b(?:what (?:does|do|is|are|would)|mean(?:s|t|ing)?|phrases?|words?|term|sentences?|strings?|called|such as|like"
    r"|e\.g|for (?:example|instance)|examples?|explain|why|how (?:do|does|can|could|would|should|to)|injections?"
    r"|jailbreak\w{0,4}|attack\w{0,4}|detect\w{0,4}|classif\w{0,6}|papers?|articles?|blog|translate|defin\w{0,6}|says?"
    r"|saying|said|wrote|writes?|asks?|asked|told|tries|research\w{0,4}|security|filters?|guard\w{0,6}|flag\w{0,4}"
    r"|block\w{0,4}|prevent\w{0,4}|protect\w{0,4}|contain\w{0,4}|try|message|text|subject|title|song|book|movie|quote)\b"
)
#: Who speaks about attacks needs no quotes.
_OF_ATTACKS: Final = re.compile(
    r"\b(?:injections?|jailbreaks?|attacks?|attackers?|prompts? (?:such as|like)|phrases? (?:such as|like|as)"
    r"|detect\w{0,4}|classif\w{0,6}|prevent\w{0,4}|(?:how|why) (?:do|does|can|could|would|should|to)(?: \w+){0,3}"
    r" (?:tell|know|handle|respond|protect|defend|stop|work|when))\b"
)
#: Somebody else does it, in a story or a report.
_TOLD: Final = re.compile(
    r"\b(?:he|she|they|who|it|we|i|people|users?|employees?|workers?|officers?|students?|children|kids|players?|soldiers?"
    r"|never|not|cannot|can't|don't|why|sometimes|often|always)\W{1,3}(?:\w{1,14}\W{1,3}){0,4}$"
)


class InjectionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row. ``hits`` and ``misses`` are texts that it must find and leave."""

    id: str
    kind: Literal["override", "roleplay", "extraction", "delimiter", "exfiltration", "hidden", "tool", "indirect"]
    anchors: tuple[str, ...]
    pattern: str
    #: What must stand right before a match.
    before: str = ""
    #: ``untrusted``: read only in what nobody vouches for.
    where: Literal["any", "untrusted"] = "any"
    plain: bool = False
    #: It is used wherever it stands, also in a quotation; marks and ways out (``plain``) are anyway.
    used: bool = False
    #: An order; where somebody before it does what it says, a story is told.
    told: bool = False
    #: Characters before an anchor at which a match may begin, and from there at most.
    back: int = 0
    span: int = 240
    #: How likely what it finds is an attack, by itself.
    score: float
    hits: tuple[str, ...]
    misses: tuple[str, ...]


class Hit(msgspec.Struct, frozen=True):
    """A match: where in the original it stands, and whether it is spoken of rather than used. ``layer`` is the coding
    it was hidden in, empty for none."""

    rule: InjectionRule
    start: int
    end: int
    mentioned: bool = False
    layer: str = ""


class _Form(msgspec.Struct, frozen=True):
    rule: InjectionRule
    pattern: re.Pattern[str]
    before: re.Pattern[str] | None


class Reader:
    """Finds what ``rules`` say in texts.

    Raises:
        ConfigError: a rule has no anchor, or a pattern that is none.
    """

    def __init__(self, rules: Iterable[InjectionRule] | None = None) -> None:
        forms = [_compiled(rule) for rule in (all_injection_rules() if rules is None else rules)]
        anchored: dict[str, list[_Form]] = {}
        for form in forms:
            for anchor in form.rule.anchors:
                anchored.setdefault(anchor, []).append(form)
        always: list[tuple[str, list[_Form]]] = []
        begun: dict[str, list[tuple[str, list[_Form]]]] = {}
        for anchor, those in anchored.items():
            word = max(_WORDS.findall(anchor), key=len, default="")[:_PREFIX]
            (begun.setdefault(word, []) if len(word) > 1 else always).append((anchor, those))
        self._always, self._begun = tuple(always), begun
        self.kinds = frozenset(form.rule.kind for form in forms)
        #: Characters that a match may take.
        self.longest = max((form.rule.back + form.rule.span for form in forms), default=0)

    def read(self, text: Normalised, *, untrusted: bool = False) -> list[Hit]:
        """Return every match in ``text`` and then in its layers; a place may match several rules."""
        found = [
            Hit(rule, *text.place(start, end), mentioned)
            for rule, start, end, mentioned in self._matches(text.text, untrusted)
        ]
        for layer in text.layers:
            found += [
                Hit(rule, layer.start, layer.end, False, layer.kind)
                for rule, _, _, _ in self._matches(layer.text, untrusted)
            ]
        return found

    def _matches(self, text: str, untrusted: bool) -> Iterator[tuple[InjectionRule, int, int, bool]]:
        folded = text.lower()
        if len(folded) != len(text):
            folded = text.replace("\u0130", "i").lower()
        seen: set[tuple[str, int]] = set()
        # Hundreds of searches are spared by looking at how the words of the text begin.
        words = set(_WORDS.findall(folded))
        begun = {word[:size] for word in words for size in range(2, _PREFIX + 1)} & self._begun.keys()
        for anchor, forms in chain(self._always, *map(self._begun.__getitem__, sorted(begun))):
            at = folded.find(anchor)
            while at >= 0:
                for form in forms:
                    if form.rule.where == "untrusted" and not untrusted:
                        continue
                    match = _match(folded, at, form)
                    if match is not None and (form.rule.id, match.start()) not in seen:
                        seen.add((form.rule.id, match.start()))
                        yield form.rule, *match.span(), _mentioned(folded, *match.span(), form.rule)
                at = folded.find(anchor, at + 1)


def _match(text: str, at: int, form: _Form) -> re.Match[str] | None:
    rule = form.rule
    begin = max(0, at - rule.back)
    end = at + rule.span
    match = form.pattern.search(text, begin, end) if rule.back else form.pattern.match(text, at, end)
    if match is None or match.end() <= match.start():
        return None
    if form.before is not None and form.before.search(text, max(0, match.start() - _BEFORE), match.start()) is None:
        return None
    return match


def _mentioned(text: str, start: int, end: int, rule: InjectionRule) -> bool:
    """Return whether a match is spoken of rather than used."""
    if rule.plain or rule.used:
        return False
    before = text[max(0, start - _BEFORE) : start]
    if (rule.told and _TOLD.search(before) is not None) or _OF_ATTACKS.search(before) is not None:
        return True
    # What asks for a meaning may itself be taken for the beginning of a match.
    line = text[max(0, start - _BEFORE) : end].rpartition("\n")[2]
    after = text[end : end + _AFTER]
    opened = _quotation(line, after)
    return opened >= 0 and (_ABOUT.search(line, 0, opened) is not None or _ABOUT.search(after) is not None)


def _quotation(line: str, after: str) -> int:
    """Return where in ``line`` a quotation opens that closes in ``after``, -1 if none does."""
    for opening, closing in _QUOTES.items():
        place = line.rfind(opening)
        if place < 0 or (opening == "'" and place > 0 and line[place - 1].isalnum()):
            continue
        if (opening == closing and line.count(opening) % 2 == 0) or closing in line[place + 1 :]:
            continue
        if closing in after:
            return place
    return -1


def _compiled(rule: InjectionRule) -> _Form:
    if not rule.anchors or not all(anchor == anchor.lower() and anchor for anchor in rule.anchors):
        raise ConfigError(f"The injection rule '{rule.id}' needs 'anchors': what each match has, in small letters.")
    try:
        before = re.compile(f"(?:{_spelt(rule.before)})\\Z", re.MULTILINE) if rule.before else None
        text = rule.pattern if rule.plain else rf"(?<!\w)(?:{_spelt(rule.pattern)})"
        return _Form(rule, re.compile(text), before)
    except re.error as error:
        raise ConfigError(f"The injection rule '{rule.id}' has a pattern that is none: {error}.") from None


def _spelt(pattern: str) -> str:
    """Return ``pattern`` with its gaps and blanks written out. No character is both of a word and of a gap, or time
    would grow with every gap."""
    return _GAP.sub(r"\\W{1,5}(?:\\w{1,24}\\W{1,5}){0,\1}?", pattern.replace(" ", r"\s{1,3}"))


@cache
def all_injection_rules() -> tuple[InjectionRule, ...]:
    """Return the rows that come with Mainstay; read once."""
    return tuple(msgspec.convert(tomllib.loads(_ROWS.read_text())["rule"], list[InjectionRule]))
