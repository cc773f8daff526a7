"""A question as the words that a text index looks for, and a text as what such an index must be given.

The index is SQLite's FTS5 with :data:`TOKENIZER`; :func:`tokens` cuts as it does, but for stems. Scripts that put no
blanks between words (Chinese, Japanese, Thai, ...) are cut into overlapping pairs of signs, on both sides. It knows
no index.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

__all__ = ["TOKENIZER", "coverage", "indexable", "names", "root", "terms", "tokens"]

#: Marks belong to words: without them, words of Indic scripts fall apart at each vowel.
TOKENIZER: Final = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
#: Words that are looked for at most: the time of a search grows with them.
_MOST: Final = 40
#: A longer "word" is data that was pasted.
_LONGEST: Final = 60
_WORD: Final = re.compile(r"(?:[^\W_]|[\u0300-\u036f])+")
#: What may be a mark; letters and numbers are told without asking.
_SIGN: Final = re.compile(r"[^\w\s]|_")
_JOINED: Final = re.compile(r"[^\W_]+(?:[-./:_][^\W_]+)+")
_PLAIN: Final = re.compile(r"[\x00-\x7f]*\Z")
#: Runs of scripts that put no blanks between words, and Hangul, where what follows a word is written onto it.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)
_STOPS: Final[dict[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "a about after all also am an and any are as at be because been before being between both but by can"
        " could did do does doing don during each few for from further give had has have having he her here hers him"
        " his how i if in into is it its itself just me might more most must my of off on once only or other our out"
        " over own please shall she should so some such tell than that the their them then there these they this"
        " those through to too under until up us very was we were what when where whether which while who whom whose"
        " why will with would you your yours s t ll re ve d m",
        "de": "aber alle als am an auch auf aus bei bin bis bist da dann das dass dein dem den der des die dies diese"
        " dieser doch du durch ein eine einem einen einer eines er es für gibt haben hat hatte hier ich ihr ihre im"
        " in ist ja kann kein keine können man mein mich mir mit muss nach nicht noch nur oder ohne seit sein sich"
        " sie sind so soll über um und uns unter vom von vor wann war warum was welche welcher welches wenn wer werden"
        " wie wir wird wo wurde zu zum zur",
        "fr": "à a ai as au aux avec avoir c ce cela ces cet cette combien comment d dans de des donc du elle elles en"
        " est et été être eu eux fait il ils j je l la le les leur leurs lui m ma mais me même mes moi mon n ne nos"
        " notre nous on ont ou où par pas peut plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa"
        " sans se ses si son sont sur t ta te tes toi ton tu un une vos votre vous y",
        "es": "a al algo ante como cómo con cual cuál cuáles cuando cuándo cuánto cuántos de del desde donde dónde dos"
        " el él ella ellas ellos en entre era es esa ese eso esta está están este esto estos fue ha han hasta hay la"
        " las le les lo los más me mi muy no nos o para pero por porque puede qué que quien quién se ser si sí sin"
        " sobre son su sus también te tiene un una uno unos y ya yo",
        "it": "a ad agli ai al alla alle anche c che chi ci come con cosa cui d da dal dalla dei del della delle di"
        " dove e è ed era essere fra gli ha hanno ho i il in io l la le lei lo loro lui ma mi mia mio ne nei nel nella"
        " no noi non o per perché più può qual quale quali quando quanto quanti questa questo s se si sia sono su sua"
        " sul sulla suo ti tra tu un una uno vi voi",
        "pt": "a à ao aos as às até com como da das de dela dele do dos e é ela elas ele eles em entre era essa esse"
        " esta está este eu foi há isso isto já lhe mais mas me meu minha muito na não nas no nos nós o onde os ou para"
        " pela pelo pode por porque qual quais quando quanto quantos que quem se sem ser seu sua são só também tem"
        " um uma você",
        "nl": "aan al als bij dan dat de deze die dit door een en er haar had heb hebben heeft het hier hij hoe hun ik"
        " in is je kan kunnen maar me meer men met mijn moet na naar niet nog nu of om onder ons ook op over te tot u"
        " uit van veel voor waar waarom wanneer want was wat we welke werd wie wij worden wordt ze zich zij zijn zo"
        " zou",
        "ru": "а без бы был была были было быть в вам вас во вот все вы где да для до его ее её если есть ещё же за и"
        " из или им их к как какая какие какой когда которые который кто ли мне может мы на над не него нет но о об"
        " он она они от по почему при с сколько со так там то только у уже что чтобы это этот я",
    }.items()
}
#: What is cut off an English word to compare it, longest first; FTS5 has its own stems.
_ENDINGS: Final = ("ations", "ation", "ities", "ments", "ment", "ness", "ally", "ings", "ing", "ies", "ied", "ers",
                   "ity", "ion", "ive", "ed", "er", "es", "ly", "al", "ic", "s", "e", "y")  # fmt: skip


def tokens(text: str) -> list[str]:
    """Return the words of ``text`` as the index has them, but for stems: in lower case, in order, with repeats."""
    if not _PLAIN.match(text):
        text = indexable(_compose(text))
        return _marked(text.lower())
    return _WORD.findall(text.lower())


def indexable(text: str) -> str:
    """Return what a text index must be given so that ``text`` is found: ``text``, but runs without blanks in pairs."""
    if _PLAIN.match(text):
        return text
    return _UNSPACED.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)


def terms(question: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the words to look for, once each: no stop words, unless there is nothing else; then those of ``more``.

    What is joined by signs and has a digit ("IL-6", "3.5") comes as its parts and as a whole, which an index reads as
    words that follow one another. Of a long text the numbers and the longest words are kept.
    """
    said = [word for word in tokens(question) if len(word) <= _LONGEST]
    stops = _stops(said)
    found = dict.fromkeys(word for word in said if word not in stops) or dict.fromkeys(said)
    for whole in _JOINED.findall(question.lower()):
        if len(whole) <= _LONGEST and any(map(str.isdigit, whole)):
            found[whole] = None
    found |= dict.fromkeys(more)
    if len(found) > _MOST:
        best = set(sorted(found, key=lambda word: (not any(map(str.isdigit, word)), -len(word)))[:_MOST])
        found = {word: None for word in found if word in best}
    return tuple(found)


def names(text: str) -> list[str]:
    """Return what ``text`` calls by name: numbers, identifiers, and words with a capital that open no sentence."""
    found: dict[str, None] = {}
    for match in re.finditer(r"\w[\w.\-/:]*\w|\w", text):
        word = match[0]
        opening = not text[: match.start()].rstrip(" \"'(«“").strip() or text[: match.start()].rstrip()[-1:] in ".!?:\n"
        inner = word[1:] != word[1:].lower()
        if any(map(str.isdigit, word)) or inner or "_" in word or (word[0].isupper() and not opening):
            found[word] = None
    return list(found)


def coverage(words: Iterable[str], texts: Iterable[str]) -> float:
    """Return the share of ``words`` (0 to 1) that any of ``texts`` holds, in whatever form; 0 without words."""
    wanted = {root(part) for word in words for part in tokens(word)}
    if not wanted:
        return 0.0
    held: set[str] = set()
    for text in texts:
        held |= wanted.intersection(map(root, tokens(text)))
    return len(held) / len(wanted)


@lru_cache(20_000)
def root(word: str) -> str:
    """Return a word (lower case) without its ending, to compare words of one question by; a number stays as it is."""
    if not word.isalpha():
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _stops(said: list[str]) -> frozenset[str]:
    """Return the stop words of the language that most of ``said`` speak for; English in doubt."""
    english = _STOPS["en"]
    best, most = english, sum(word in english for word in said)
    for stops in _STOPS.values():
        count = sum(word in stops for word in said)
        if count > most:
            best, most = stops, count
    return best


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _marked(text: str) -> list[str]:
    """Return the runs of letters, numbers and their marks."""
    return _SIGN.sub(_kept, text).split()


def _kept(sign: re.Match[str]) -> str:
    return sign[0] if unicodedata.category(sign[0])[0] == "M" else " "


def _pairs(run: str) -> list[str]:
    """Return the overlapping pairs of signs in ``run``, marks with their sign; a single sign as it is."""
    signs: list[str] = []
    for sign in run:
        if signs and unicodedata.category(sign)[0] == "M":
            signs[-1] += sign
        else:
            signs.append(sign)
    return [one + two for one, two in pairwise(signs)] or signs
