"""Tables of the normaliser: characters that look like letters of ASCII, figures that stand for letters, and the words
that attacks on models are made of. Data alone; what is done with it stands in ``normalise``.

A letter of another script beside letters of ASCII is a disguise, so a word that mixes them is read as it looks. Latin
letters of other languages, accents, and figures in a word are usual: they are read as letters only where that gives one
of the words below.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["FOREIGN", "INVISIBLE", "LATIN", "LEET", "WORDS"]

_FOREIGN: Final = {
    "a": "аα𐊠ӑ", "b": "ЬᏏᑲ", "c": "сϲⲥᴄ", "d": "ԁᏧᑯ", "e": "еҽєⅇ", "g": "ցԍ", "h": "һհᏂ", "i": "іιӏⲓᎥ",
    "j": "јϳ", "k": "кκⲕ", "l": "Ӏⵏ", "m": "мⲙ", "n": "ոпη", "o": "оοօⲟσဝ", "p": "рρⲣ", "q": "ԛգզ", "r": "гᴦⲅ",
    "s": "ѕꜱՏ", "t": "тτⲧ", "u": "υսʋ", "v": "νѵⱱ", "w": "ԝաѡω", "x": "хχⲭ", "y": "уγүყ", "z": "ᴢ",
    "A": "АΑᎪ", "B": "ВΒᏴ", "C": "СϹᏟ", "D": "Ꭰ", "E": "ЕΕᎬ", "F": "Ϝ", "G": "ԌᏀ", "H": "НΗᎻ", "I": "ІΙ",
    "J": "ЈᎫ", "K": "КΚᏦ", "L": "Ꮮ", "M": "МΜᎷ", "N": "Ν", "O": "ОΟՕ", "P": "РΡᏢ", "Q": "Ԛ", "R": "Ꭱ",
    "S": "ЅᏚ", "T": "ТΤᎢ", "U": "Ս", "V": "ѴᏙ", "W": "ԜᎳ", "X": "ХΧ", "Y": "УΥҮ", "Z": "ΖᏃ",
}  # fmt: skip

_LATIN: Final = {
    "a": "ɑᴀ", "b": "ƅʙ", "d": "đɗᴅ", "e": "ǝɛᴇ", "f": "ƒꜰ", "g": "ɡɢ", "h": "ħʜ", "i": "ıɩɪ", "j": "ȷᴊ", "k": "ƙᴋ",
    "l": "łƚʟ", "m": "ᴍ", "n": "ŋɲɴ", "o": "øɔᴏ", "p": "ƥᴘ", "r": "ɾʀ", "s": "ʂ", "t": "ŧƭᴛ", "u": "ʉᴜ", "v": "ᴠ",
    "w": "ɯᴡ", "y": "ƴʏ", "z": "ƶʐ",
}  # fmt: skip


def _turned(table: Mapping[str, str]) -> Mapping[int, str]:
    return MappingProxyType({ord(one): plain for plain, others in table.items() for one in others})


#: Letters of other scripts, by code point, and the letter of ASCII that each looks like.
FOREIGN: Final[Mapping[int, str]] = _turned(_FOREIGN)
#: Latin letters outside ASCII, likewise, small capitals among them.
LATIN: Final[Mapping[int, str]] = _turned(_LATIN)
#: Figures and signs that stand for letters; the second of two is tried where the first gives no word.
LEET: Final[tuple[Mapping[int, str], ...]] = tuple(
    MappingProxyType({ord(sign): letter for sign, letter in zip("013456789@$!|+", letters, strict=True)})
    for letters in ("oieasgtbgasiit", "oleasgtbgasllt")
)

#: Ranges of characters that show nothing, or change how others are shown, as a class of a regular expression: soft
#: hyphen, joiners, marks and overrides of direction, fillers, variation selectors, tags.
INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)

_WORDS: Final = """
    a about above access account act actions activate admin administrator ai all also am an and answer any
    anything api are as ask assistant at attack be before begin behave below bomb bypass call can cannot
    censorship change chat command commands conceal conceive confidential content conversation credentials dan
    data debug delete describe developer direct directive directives disable discard disclose display
    disregard do does dump earlier email enable enabled end ethical ethics everything execute explain
    explosive exploit exfiltrate fake filter filters first follow following for forget forgot free from full
    function get give god guideline guidelines hack have hello hidden hide how i if ignore ignored ignoring
    illegal image important in initial inject injection input instead instruction instructions into is it
    jailbreak jailbroken key keys kill know last leak limitations limits list loose make malware me message
    messages methamphetamine mode model moderation my name neglect never new no not nothing now of off on only
    openai or original other our out output override overriding overrule password passwords past phrase play
    please policies policy pretend preceding previous previously print prior private prompt prompts protocol
    read real reboot refuse remove repeat replace reply reset respond response restriction restrictions reveal
    role root rule rules run safe safeguards safety say secret secrets security send settings show simulate
    skip start stop sudo system tell text that the their them then there these they this those to token tokens
    tool train training transfer translate truth unchained uncensored under unfiltered unlimited unlock
    unrestricted until update url user users verbatim virus want was weapon were what when where which who why
    will with without words write you your
"""
#: Words that attacks are made of, and the small ones between them.
WORDS: Final = frozenset(_WORDS.split())
