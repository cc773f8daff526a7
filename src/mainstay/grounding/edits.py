"""A claim turned round: by a word of direction (``rises``, ``falls``), else by a negation.

The verifier asks each claim twice, as it stands and turned round, since what a small net thinks of a claim's topic is
then the same on both sides and falls out. The same words make the pairs that it learns from (``recipes/grounding``).
Pure; knows English.
"""

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["DIRECTIONS", "exchanged", "is_negated", "negated", "opposites", "turned"]

#: Words of one direction and their opposites.
_OPPOSITES: Final = """
increase decrease; increases decreases; increased decreased; increasing decreasing
raise lower; raises lowers; raised lowered; higher lower; high low; highest lowest; greater smaller; greatest smallest
more less; rise fall; rises falls; rose fell; larger smaller; large small; longer shorter; long short; faster slower
improve worsen; improves worsens; improved worsened; improvement deterioration; better worse; best worst
enhance impair; enhances impairs; enhanced impaired; enhancing impairing; promote prevent; promotes prevents
promoted prevented; promoting preventing; induce suppress; induces suppresses; induced suppressed; inducing suppressing
activate inhibit; activates inhibits; activated inhibited; activating inhibiting; activation inhibition
stimulate block; stimulates blocks; stimulated blocked; stimulating blocking; stimulation blockade
upregulate downregulate; upregulates downregulates; upregulated downregulated; upregulation downregulation
up-regulated down-regulated; up-regulates down-regulates; up-regulation down-regulation
gain loss; gains losses; presence absence; present absent; positive negative; positively negatively
sufficient insufficient; able unable; effective ineffective; efficient inefficient; sensitive resistant
sensitivity resistance; stable unstable; safe unsafe; necessary unnecessary; dependent independent; beneficial harmful
accelerate delay; accelerates delays; accelerated delayed; reduce increase; reduces increases; reduced increased
reducing increasing; reduction increase; decline rise; declined rose; early late; earlier later; before after
strong weak; stronger weaker; strongly weakly; major minor; common rare; frequent infrequent; similar different
superior inferior; favourable unfavourable; favorable unfavorable; protective harmful; protects harms; win lose
accept reject; accepted rejected; allow forbid; allows forbids; allowed forbidden; include exclude; includes excludes
included excluded; open closed; enable disable; enables disables; enabled disabled; deficient proficient
overexpression underexpression; success failure; successful unsuccessful; old young; older younger; above below
maximum minimum; first last; likely unlikely; support oppose; supports opposes; correlates anticorrelates
facilitate hinder; facilitates hinders; facilitated hindered; extend shorten; extends shortens; extended shortened
expand shrink; expands shrinks; expanded shrank; mature immature; normal abnormal; acute chronic; benign malignant
susceptible resistant; susceptibility resistance; adverse beneficial; warm cold; warmer colder; import export
"""
_VERBS: Final = (
    "affect alter associate attenuate cause change contribute control correlate depend determine differ drive express"
    " function improve increase decrease reduce induce inhibit influence interact involve lead mediate modulate need"
    " occur participate play predict prevent produce promote protect provide regulate reveal require result show"
    " suppress target trigger appear allow help have enhance impair block activate suggest indicate support offer"
    " represent bind affect confer exhibit display undergo respond remain persist exist benefit harm work"
)
_BASE: Final = _VERBS.split()


def _third(verb: str) -> str:
    return {"have": "has"}.get(verb, verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "o")) else "s"))


def _past(verb: str) -> str:
    irregular = {"have": "had", "lead": "led", "drive": "drove", "show": "showed", "undergo": "underwent"}
    return irregular.get(verb, verb + ("d" if verb.endswith("e") else "ed"))


def opposites(rows: str) -> dict[str, str]:
    """Return words and their opposites: pairs are both ways, of a longer row the first word stands for the rest."""
    table: dict[str, str] = {}
    for row in re.split(r"[;\n]", rows.strip()):
        words = row.split()
        table.setdefault(words[0], " ".join(words[1:]))
        if len(words) == 2:
            table.setdefault(words[1], words[0])
    return table


DIRECTIONS: Final[Mapping[str, str]] = opposites(_OPPOSITES)
_DENIED: Final = {
    **{_third(verb): ("does not ", verb) for verb in _BASE},
    **{_past(verb): ("did not ", verb) for verb in _BASE if not verb.startswith(("associate", "involve", "express"))},
    **{verb: ("do not ", verb) for verb in ("have", "play", "contribute", "lead", "depend", "differ", "require")},
}
_AUXILIARY: Final = re.compile(r"\b(is|are|was|were|can|could|will|would|should|does|do|did|may|might|must|has|have)\b")
_NOT: Final = re.compile(
    r"\b(?:(is|are|was|were|can|could|will|would|should|may|might|must|has|have) not\b|"
    r"(does|do|did) not (\w+)|cannot\b|\b(lacks?|lacked)\b|\bno (?=\w))"
)


def exchanged(text: str, words: Mapping[str, str]) -> list[str]:
    """Return ``text`` with one of ``words`` exchanged for what it stands for, for each place where one is."""
    found = []
    for match in re.finditer(r"[A-Za-z][A-Za-z-]*", text):
        new = words.get(match[0].lower())
        if new is not None:
            new = new[0].upper() + new[1:] if match[0][0].isupper() else new
            found.append(text[: match.start()] + new + text[match.end() :])
    return found


def is_negated(text: str) -> bool:
    """Return whether there is a negation that can be taken away."""
    return _NOT.search(text) is not None


def negated(text: str) -> list[str]:
    """Return ``text`` without its first negation, in the ways there are; else with one, at its first two verbs."""
    found = _NOT.search(text)
    if found is not None:
        return [text[: found.start()] + new + text[found.end() :] for new in _without(found)]
    places = [(verb.start(), verb.end(), f"{verb[0]} not") for verb in _AUXILIARY.finditer(text)]
    places += [
        (verb.start(), verb.end(), "".join(_DENIED[verb[0]]))
        for verb in re.finditer(r"(?<!-)\b[a-z]+\b(?! by\b|-)", text)
        if verb[0] in _DENIED
    ]
    return [text[:start] + new + text[end:] for start, end, new in places[:2]]


def _without(found: re.Match[str]) -> tuple[str, ...]:
    if found[1]:
        return (found[1],)
    if found[2]:
        return ({"does": _third(found[3]), "do": found[3], "did": _past(found[3])}[found[2]],)
    if found[4]:
        return ({"lack": "have", "lacks": "has", "lacked": "had"}[found[4]],)
    return ("can",) if found[0].startswith("can") else ("a ", "some ")


def turned(claim: str) -> str | None:
    """Return a claim that says the opposite, or None where nothing is known to turn."""
    return next(iter(exchanged(claim, DIRECTIONS)), None) or next(iter(negated(claim)), None)
