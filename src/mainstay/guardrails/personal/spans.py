"""From labelled words to places in the text: names of several words, addresses of several lines.

It knows neither how words were labelled nor what is done with the places.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from mainstay.guardrails.personal.features import Token
from mainstay.guardrails.personal.gazetteer import LISTED, STREET
from mainstay.guardrails.personal.names import Tagged
from mainstay.guardrails.port import Finding

__all__ = ["LONGEST", "join"]

#: A run that would be longer is a list, not a name: its words are taken one by one.
LONGEST: Final = 120
_KINDS: Final = {"PER": "person", "LOC": "place", "ORG": "organisation", "NRP": "nationality", "ADR": "address"}
_OF: Final = "de|del|de la|della|di|da|do|dos|das|du|des|la|le|el|al|van|van de|van der|von|vom|zu|zum|an der|im|of|the"
#: What may stand between two words of the same label.
_GAPS: Final = {
    "PER": re.compile(rf" {{1,2}}|-|\. ?|['’]| \"?\(?| (?:{_OF}|y|e|i|bin|ibn|ben|ter|ten|den|der|af|av) ?"),
    "LOC": re.compile(rf" {{1,2}}|-|\. ?|['’/]| (?:{_OF}|and|sur|sous|upon|nad|pod|v|u|na|sub|op|aan|bei|ob) "),
    "ORG": re.compile(rf" {{1,2}}|-|\. ?|['’/]| ?[&+] ?|, | (?:{_OF}|and|for|of the|und|et|y|e|for the|pour|für) "),
    "NRP": re.compile(r"[ -]"),
    "ADR": re.compile(r"[ ,.;/#\-\n>()'’]{0,5}|(?: [a-z]{1,4}){1,2}\.? |,? ?[a-z]{1,3}\.? ?"),
}
#: How sure one word must be to be an address by itself.
_ALONE: Final = 0.8
#: How sure a word written small must be that is on no list: most are rare words.
_SMALL: Final = 0.9
_INITIAL: Final = re.compile(r"[A-Z]\.?")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
#: Marks that names do not stand beside without a space, and identifiers do.
_CODE: Final = "_@=\\$#{}[]<>"


def join(text: str, tagged: Sequence[Tagged], least: float, addressed: Callable[[int, int], bool]) -> Iterator[Finding]:
    """Yield the places of words that are labelled with a probability of ``least`` or more.

    ``addressed`` tells whether a word beside a place says that it is an address.
    """
    run: list[Tagged] = []
    for one in tagged:
        token, label, sure = one
        if sure < least or (label == "PER" and not _nameable(text, token)):
            continue
        if sure < _SMALL and token.shape == "x" and not token.flags & LISTED:
            continue
        if run and not _joined(text, run[-1], one):
            yield from _place(run, addressed)
            run = []
        run.append((token, label, sure))
    if run:
        yield from _place(run, addressed)


def _joined(text: str, before: Tagged, after: Tagged) -> bool:
    one, other = before[1], after[1]
    gap = text[before[0].end : after[0].start]
    if len(gap) > 12:
        return False
    if one == other:
        if one == "PER" and "." in gap and not _INITIAL.fullmatch(before[0].text):
            return False
        return _GAPS[one].fullmatch(gap) is not None
    # An address goes on with its city, and a firm's or a person's street with its number.
    return "ADR" in (one, other) and {one, other} <= {"ADR", "LOC", "ORG"} and _GAPS["ADR"].fullmatch(gap) is not None


def _place(run: Sequence[Tagged], addressed: Callable[[int, int], bool]) -> Iterator[Finding]:
    start, end = run[0][0].start, run[-1][0].end
    labels = {label for _, label, _ in run}
    if end - start > LONGEST:
        # Of a run so long nothing but its words is known within reach; a number alone is no address.
        for token, label, sure in run:
            if label != "ADR" or (token.text.isalpha() and len(token.text) > 2):
                yield Finding(token.start, token.end, _KINDS[label], round(sure, 4), "tagger")
        return
    label = "ADR" if "ADR" in labels else run[0][1]
    if label == "PER" and all(len(token.text) == 1 for token, _, _ in run):
        return
    if label == "ADR" and not (_addressable(run) or addressed(start, end)):
        return
    yield Finding(start, end, _KINDS[label], round(max(sure for _, _, sure in run), 4), "tagger")


def _addressable(run: Sequence[Tagged]) -> bool:
    """Whether the words have what addresses have: a name written large or a word of streets, and of these or a number
    a second, so that tables, formulas and genes are none."""
    words = [token for token, _, _ in run if len(token.text) > 2 and token.text.isalpha()]
    streets = [token for token, _, _ in run if token.flags & STREET]
    numbers = [token for token, _, _ in run if token.text[0].isdigit()]
    large = [token for token in words if token.text[0].isupper()]
    if not (large or streets):
        return False
    if len(run) == 1:
        return run[0][2] >= _ALONE
    return bool(streets or numbers or len(large) > 1)


def _nameable(text: str, token: Token) -> bool:
    """Whether a word has the shape of a name: letters, and beside it nothing that only code has."""
    if not _WORD.fullmatch(token.text):
        return False
    before = text[token.start - 1] if token.start else " "
    after = text[token.end] if token.end < len(text) else " "
    return before not in _CODE and after not in _CODE
