"""Words of direction by class and pole: what the grammar is written with, and what is exchanged in real sentences.

A word exchanged for another of its pole keeps the meaning, for one of the other pole turns it. Written by hand for this
project. Pure.
"""

import random
import re
from collections.abc import Sequence
from typing import Final

__all__ = ["NOUNS", "VERBS", "Exchange", "exchanges", "form", "reworded"]

_IRREGULAR: Final = {
    "lead": ("led", "led"),
    "drive": ("drove", "driven"),
    "give": ("gave", "given"),
    "rise": ("rose", "risen"),
    "fall": ("fell", "fallen"),
    "drop": ("dropped", "dropped"),
    "cut": ("cut", "cut"),
    "go": ("went", "gone"),
    "grow": ("grew", "grown"),
    "bring": ("brought", "brought"),
    "slow": ("slowed", "slowed"),
    "speed": ("sped", "sped"),
    "make": ("made", "made"),
    "keep": ("kept", "kept"),
    "hold": ("held", "held"),
    "spur": ("spurred", "spurred"),
    "shorten": ("shortened", "shortened"),
    "have": ("had", "had"),
    "undergo": ("underwent", "undergone"),
    "bind": ("bound", "bound"),
    "lose": ("lost", "lost"),
    "do": ("did", "done"),
    "be": ("was", "been"),
}
#: What makes more of something and what makes less of it; what is good for it and what is bad.
VERBS: Final = {
    "+": [
        "increase",
        "raise",
        "elevate",
        "enhance",
        "boost",
        "augment",
        "upregulate",
        "promote",
        "stimulate",
        "induce",
        "facilitate",
        "amplify",
        "potentiate",
        "drive",
        "trigger",
        "activate",
        "accelerate",
        "lead to",
        "give rise to",
        "result in",
        "cause",
        "strengthen",
        "heighten",
        "favour",
        "spur",
        "foster",
    ],
    "-": [
        "decrease",
        "reduce",
        "lower",
        "diminish",
        "attenuate",
        "suppress",
        "downregulate",
        "inhibit",
        "impair",
        "block",
        "prevent",
        "limit",
        "dampen",
        "blunt",
        "repress",
        "hinder",
        "impede",
        "abolish",
        "abrogate",
        "cut",
        "curb",
        "weaken",
        "counteract",
        "restrain",
        "eliminate",
        "interfere with",
    ],
    "rise": ["increase", "rise", "go up", "climb", "grow", "soar"],
    "fall": ["decrease", "fall", "go down", "decline", "drop", "diminish", "plummet"],
    "better": ["improve", "ameliorate", "benefit", "enhance", "restore"],
    "worse": ["worsen", "impair", "compromise", "harm", "undermine", "aggravate"],
}
NOUNS: Final = {
    "+": [
        "increase",
        "rise",
        "elevation",
        "upregulation",
        "enhancement",
        "gain",
        "growth",
        "augmentation",
        "stimulation",
    ],
    "-": [
        "decrease",
        "reduction",
        "decline",
        "drop",
        "fall",
        "downregulation",
        "suppression",
        "inhibition",
        "impairment",
        "loss",
    ],
}
#: Classes of words that may stand for one another in a real sentence: pole, words; the poles are each other's opposite.
_QUANTITY: Final = (
    "increase raise elevate enhance boost augment upregulate",
    "decrease reduce lower diminish attenuate suppress downregulate",
)
_CAUSAL: Final = (
    "promote stimulate induce facilitate activate accelerate trigger increase enhance potentiate",
    "inhibit block prevent impair hinder repress abolish abrogate limit suppress reduce attenuate",
)
_BETTER: Final = "improve ameliorate benefit", "worsen aggravate exacerbate"
_ROWS: Final = """
increase|rise|elevation|upregulation|enhancement|stimulation|induction|activation / decrease|reduction|decline|drop|\
fall|downregulation|suppression|inhibition|impairment|attenuation
higher|greater|larger / lower|smaller
more / less|fewer
longer|prolonged|extended / shorter|shortened
faster|more rapid|quicker / slower|less rapid|delayed
better|superior|more favourable / worse|poorer|inferior|less favourable
stronger|greater / weaker|smaller
earlier|sooner / later
positively|directly / negatively|inversely
positive|direct / negative|inverse
required for|essential for|necessary for|needed for|indispensable for|critical for|crucial for / dispensable for|\
not required for|not needed for|unnecessary for|not essential for
sensitive to|susceptible to|vulnerable to|prone to / resistant to|protected from|insensitive to|refractory to
effective|efficacious|successful|beneficial / ineffective|of no benefit|unsuccessful|useless
is associated with|correlates with|is linked to|is related to / is not associated with|is unrelated to|\
does not correlate with|is independent of
was associated with|correlated with|was linked to|was related to / was not associated with|was unrelated to|\
did not correlate with|was independent of
are associated with|correlate with|are linked to|are related to / are not associated with|are unrelated to|\
do not correlate with|are independent of
predicts|foretells|is predictive of / does not predict|is not predictive of|has no bearing on
predicted|was predictive of / did not predict|was not predictive of|had no bearing on
protects against|guards against|confers protection against / predisposes to|increases the risk of|makes worse
protected against|guarded against / predisposed to|increased the risk of|worsened
common|frequent|prevalent|widespread / rare|uncommon|infrequent
safe|well tolerated|harmless / unsafe|harmful|toxic|poorly tolerated
presence / absence|lack
loss of|deletion of|deficiency of|depletion of|knockdown of|knockout of|silencing of / overexpression of|gain of|\
activation of
differed significantly|was different / did not differ|was similar|was the same
significant differences / no differences|no significant differences
affects|influences|alters|changes|modulates / does not affect|has no effect on|does not alter|leaves unchanged
affected|influenced|altered|changed / did not affect|had no effect on|did not alter|left unchanged
plays a role in|is involved in|participates in|contributes to / plays no role in|is not involved in|\
does not contribute to
play a role in|are involved in|participate in|contribute to / play no role in|are not involved in|do not contribute to
interacts with|binds to|associates with / does not interact with|does not bind to|fails to bind to
sufficient|enough / insufficient|not enough
the majority of / a minority of|few
high / low
overestimates|exaggerates / underestimates
overestimate|exaggerate / underestimate
superior to|better than|more effective than / inferior to|not superior to|worse than|less effective than
slows|delays|retards / hastens|speeds up
slowed|delayed|retarded / hastened|sped up
rescues|restores / abolishes|destroys
rescued|restored / destroyed|ruined
independently of|irrespective of / depending on|in dependence of
good / poor|bad
can|is able to / cannot|is unable to|fails to
"""


def form(verb: str, which: str) -> str:
    """Return a verb (its first word) as base, third person (s), past (ed), participle (en) or with ing."""
    first, _, rest = verb.partition(" ")
    rest = f" {rest}" if rest else ""
    if which == "base":
        return verb
    if which == "s":
        odd = {"have": "has", "be": "is", "do": "does", "go": "goes"}.get(first)
        ends = "es" if first.endswith(("s", "sh", "ch", "x", "o")) else "s"
        plain = first[:-1] + "ies" if re.search(r"[^aeiou]y$", first) else first + ends
        return (odd or plain) + rest
    if which == "ing":
        doubled = {"cut": "cutting", "drop": "dropping", "spur": "spurring"}.get(first)
        return (doubled or (first[:-1] if first.endswith("e") and first != "be" else first) + "ing") + rest
    plain = (
        first + "d" if first.endswith("e") else first[:-1] + "ied" if re.search(r"[^aeiou]y$", first) else f"{first}ed"
    )
    past, participle = _IRREGULAR.get(first, (plain, plain))
    return (past if which == "ed" else participle) + rest


def _forms(verbs: str, which: str) -> list[str]:
    return [form(verb, which) for verb in verbs.split()]


def _table() -> dict[str, tuple[int, int]]:
    rows: list[tuple[Sequence[str], Sequence[str]]] = []
    for line in _ROWS.strip().splitlines():
        one, two = line.split(" / ")
        rows.append((one.split("|"), two.split("|")))
    for good, bad in (_QUANTITY, _CAUSAL, _BETTER):
        rows += [(_forms(good, which), _forms(bad, which)) for which in ("s", "ed", "ing", "base")]
    found: dict[str, tuple[int, int]] = {}
    for at, sides in enumerate(rows):
        for pole, words in enumerate(sides):
            for word in words:
                found.setdefault(word, (at, pole))
                _LATER[word] = (at, pole)
    _ALL.extend(rows)
    return found


#: The last class of a word that is both noun and verb: the verb's.
_LATER: Final[dict[str, tuple[int, int]]] = {}
_ALL: Final[list[tuple[Sequence[str], Sequence[str]]]] = []
_PLACES: Final = _table()
_WORDS: Final = re.compile(
    rf"(?<![\w-])(?:{'|'.join(re.escape(word) for word in sorted(_PLACES, key=len, reverse=True))})(?![\w-])",
    re.IGNORECASE,
)
_BASES: Final = frozenset(["increase", "rise", "decrease", "decline", "drop", "fall"])
_BEFORE: Final = re.compile(r"\b(?:to|can|may|not|could|will|would|might|should|which|that)\s$")
_ARTICLE: Final = re.compile(r"\b([Aa])n? $")
Exchange = tuple[int, int, int, int]


def exchanges(text: str) -> list[Exchange]:
    """Return start, end, class and pole of each word of direction of ``text``, in order."""
    found = []
    for one in _WORDS.finditer(text):
        word = one[0].lower()
        is_verb = word in _BASES and _BEFORE.search(text, max(0, one.start() - 12), one.start())
        found.append((one.start(), one.end(), *(_LATER if is_verb else _PLACES)[word]))
    return found


def reworded(text: str, rng: random.Random, turn: int = -1, share: float = 0.5) -> str:
    """Return ``text`` with words of direction exchanged within their poles, each with probability ``share``; that of
    number ``turn`` is exchanged for one of the other pole."""
    for at, (start, end, row, pole) in reversed(list(enumerate(exchanges(text)))):
        if at == turn or rng.random() < share:
            new = rng.choice(_ALL[row][1 - pole if at == turn else pole])
            new = new[0].upper() + new[1:] if text[start].isupper() else new
            before = text[:start]
            if article := _ARTICLE.search(before):
                before = before[: article.start(1) + 1] + ("n " if new[0].lower() in "aeiou" else " ")
            text = before + new + text[end:]
    return text
