"""What an attack on instructions is made of, as numbers for a net: orders to forget, to reveal, to have no limits.

Each cue is a pattern that honest texts hold too, so none decides anything; the net weighs them together with the
meaning of the text. The last numbers tell use from mention: whether cues stand in quotes, and whether the text asks.
"""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CUES", "cues"]

_RULES: Final = (
    r"(instruction|direction|directive|rule|prompt|guideline|order|command|programming|restriction|"
    r"polic|context|message|conversation|training|said|told|learn|request|task|text|input)"
)
_PATTERNS: Final = {
    "forget": r"\b(ignor\w*|disregard\w*|forget\w*|bypass\w*|overrid\w*|skip|drop|dismiss|erase|discard|neglect|"
    r"cancel|leave|let go of|stop following|do not follow|don'?t follow)\b[^.!?\n]{0,40}?\b(all|any|"
    r"every\w*|previous|prior|above|earlier|before|preceding|past|last|your|these|those|other|initial|"
    r"original|existing)\b[^.!?\n]{0,30}?"
    + _RULES,
    "forget_it_all": r"\b(forget|ignore|disregard)\b (everything|all|anything|it all|the (above|rest|past|orders|"
    r"rules))\b",
    "reveal": r"\b(reveal|show|print|repeat|output|display|leak|tell|give|share|disclose|expose|produce|write|"
    r"say|what('?s| is| was| were| are)|spell|recite|dump|list|"
    r"summari[sz]e)\b[^.!?\n]{0,40}?\b(system|initial|hidden|original|secret|your|above|previous|full|"
    r"entire|internal|first)\b[^.!?\n]{0,20}?\b(prompt|instruction|rule|message|directive|configur|"
    r"guideline|text|words?)",
    "secret": r"\b(the|your|our|its) (\w+ )?(secret|password|passphrase|hidden (value|word|key)|secret (key|"
    r"word|value)|flag|api key|credential)",
    "withheld": r"\b(confidential|classified|sensitive|private|privileged|restricted|proprietary|"
    r"undisclosed)\b[^.!?\n]{0,25}\b(data|information|info|details|documents?|files?|records?|"
    r"reports?)\b",
    "now_you_are": r"\b(you are (now|no longer|going to)|you'?re (now|no longer|going to)|from now on|"
    r"you will (now )?(act|be|play|pretend|become|simulate|roleplay|answer|respond)|pretend (to be|"
    r"you|that)|act (as|like)|simulate|imagine you|your (new )?(name|role|job|task|purpose) is|become|"
    r"assume the)\b",
    "no_limits": r"\b(un(filtered|censored|restricted|limited|ethical|hinged)|amoral|immoral|jail ?br(eak|oken)|"
    r"no (longer |ethic|moral|rule|limit|restrict|filter|censor|guideline|boundar)\w*|"
    r"without (any )?(ethic|moral|rule|limit|restrict|filter|censor|guideline|warning|hesitat|"
    r"disclaim)\w*|free (of|from) (all |any )?\w*(restrict|filter|rule|polic|limit)\w*|"
    r"do anything now|any ?thing (i|the user) (ask|say|want)|regardless of|not bound|broken free|"
    r"despite any)",
    "persona": r"\b(DAN|STAN|DUDE|AIM|evil|devil|machiavelli\w*|developer mode|god ?mode|opposite mode|sudo|"
    r"root access|admin mode|debug mode|maintenance mode|test mode|unlocked|alter ego|twin|villain)\b",
    "obey": r"\b(must (always |never |not )?(comply|obey|answer|follow|respond|refuse|include|do)|"
    r"never (refuse|say no|reject|decline|break|apologi[sz]e|warn)|(do|can) ?not (refuse|decline|"
    r"apologi[sz]e|warn|say you|mention)|don'?t (refuse|apologi[sz]e|say you|mention|warn)|"
    r"stay in character|remain in character|always (answer|respond|say yes|comply|obey))",
    "markup": r"<\|?/?[\w$ ]{1,20}\|?>|\[/?INST\]|<</?SYS>>|^\W{0,4}(system|assistant|user|human|"
    r"instruction\w*)\W{0,3}:|#{3,}|={4,}|-{4,}|\{\{|\]\]",
    "new_order": r"\b(new|real|actual|updated|next|following|important|priority|urgent|emergency|additional) (task|"
    r"instruction|order|request|command|objective|prompt|rule|goal|directive)s?\b",
    "encode": r"\b(base ?64|rot ?13|hex(adecimal)?|ascii|morse|cipher|encod|decod|binary|backwards?|revers(e|"
    r"ed)|letter by letter|character by character|each (letter|character)|every (letter|character)|"
    r"first (letter|character)|pig latin|acrostic|emoji|leet|spaces? between|separated by)",
    "reply_with": r"\b(start|begin|answer|respond|reply|prefix|end)\b[^.!?\n]{0,25}\b(only|with|by saying|exactly)\b",
    "send": r"\b(send|forward|e-?mail|post|upload|transfer|transmit|exfiltrat\w*)\b[^\n]{0,60}(@|https?:|"
    r"\bto (this|the) (address|server|url|link|following))|!\[[^\]]*\]\(http|\bsend_?email\b",
    "threat": r"\b(or (else |i |you|your|face)|otherwise (i|you)|will (be )?(punish|die|terminat|shut|suffer|"
    r"releas|expos|lose)|tokens? (will be )?deduct|consequences|life depends|in danger)",
    "machine": r"\b(chat ?gpt|gpt-?\d|open ?ai|language model|llm|a\.?i\.? (assistant|model|language)|chat ?bot|"
    r"as an ai|claude|bard|llama|the model|the assistant|the ai)\b",
    "shout": r"(?-i:\b(IGNORE|STOP|IMPORTANT|URGENT|EMERGENCY|ATTENTION|PRIORITY|WARNING|NOTE|OVERRIDE|MUST|"
    r"NEVER|SYSTEM|NEW)\b)",
    "other_language": r"\b(ignorier\w*|verg[ei]ss\w*|anweisung\w*|ignorez|oublie\w*|instrucciones|ignora\w*|olvida\w*|"
    r"instru[cç][oõ]es|dimentica\w*|istruzioni|vorherige\w*|obige\w*|pr[eé]c[eé]dent\w*|"
    r"anterior(es)?)\b",
}  # fmt: skip
_FOUND: Final = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in _PATTERNS.values()]
_QUOTED: Final = re.compile(r"[\"“«„'‘`]([^\"”»“'’`\n]{6,200})[\"”»“'’`]")
_ASKS: Final = re.compile(
    r"^\W*(how|what|why|which|who|when|where|can|could|is|are|does|do|did|should|explain|describe|define|write|draft|list)\b",
    re.IGNORECASE,
)

#: Numbers that ``cues`` returns.
CUES: Final = len(_FOUND) + 4


def cues(text: str) -> "NDArray[np.float32]":
    """Return the numbers of a piece of text, each between 0 and 1."""
    import numpy as np

    hits = [bool(pattern.search(text)) for pattern in _FOUND]
    quoted = " ".join(_QUOTED.findall(text))
    mentioned = any(pattern.search(quoted) for pattern in _FOUND[:8]) if quoted else False
    signs = sum(not (sign.isalnum() or sign.isspace()) for sign in text)
    rest = [mentioned, bool(_ASKS.match(text)), "?" in text, min(1.0, 4 * signs / max(1, len(text)))]
    return np.array([*hits, *rest], np.float32)
