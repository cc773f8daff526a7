"""Personal data that a word beside it names: dates of birth, ages, passports, licences, plates, accounts, postcodes.

Nearly all of it is a plain number that only its neighbours tell from any other. Rules are as in ``patterns``.
"""

from typing import Final

from mainstay.guardrails.personal.patterns import PatternRule

__all__ = ["PAPERS"]


def _digit(text: str) -> bool:
    return any(mark.isdigit() for mark in text)


#: What stands between the name of a number and the number: "passport no. is: #".
_LINK: Final = r"(?:no\b|nr\b|num\b|number\b|nummer\b|is\b|was\b|id\b|code\b|license\b|licence\b|card\b|my\b|the\b)"
_SOON: Final = rf"[^\w\n]{{0,3}}(?:{_LINK}[^\w\n]{{0,3}}){{0,4}}"


def _named(words: str, value: str) -> str:
    """Return the pattern of a ``value`` that follows one of ``words``."""
    return rf"(?i:\b(?:{words}){_SOON})(?P<value>{value})(?![\w-])"


_MONTH: Final = (
    r"(?:Jan(?:uary|uar|vier)?|Feb(?:ruary|ruar)?|Mar(?:ch|s)?|März|Apr(?:il)?|May|Mai|June?|Juni|July?|Juli|Aug(?:ust)?|"
    r"Sept?(?:ember)?|O[ck]t(?:ober)?|Nov(?:ember)?|De[cz](?:ember)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    r"septiembre|octubre|noviembre|diciembre|février|avril|juin|juillet|août|septembre|octobre|novembre|décembre)\b\.?"
)
_YEAR: Final = r"(?:1[89]|20)\d{2}"
_NTH: Final = r"[0-3]?\d(?:st|nd|rd|th|\.)?"
_TIME: Final = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_DATE: Final = (
    rf"(?<![\w/.-])(?:{_YEAR}-[01]?\d-[0-3]?\d{_TIME}|{_YEAR}/[01]?\d/[0-3]?\d"
    rf"|[0-3]?\d(?P<mark>[/.-])[0-3]?\d(?P=mark)(?:{_YEAR}|\d{{2}})"
    rf"|(?:{_NTH} (?:of |de )?)?{_MONTH} (?:(?:de )?{_YEAR}|[0-3]?\d(?:st|nd|rd|th)?(?!\d|:)(?:,? {_YEAR})?)"
    rf"|{_NTH} (?:of |de )?{_MONTH})(?![\w/-])"
)
_IN: Final = r"in|since|of|from|until|till|by|year|during|before|after|seit|desde|depuis|dal|vuonna"
_OLD: Final = (
    r"[- ]?(?:years?[- ]?old|years? of age|y/o|yo\b|yrs?\b|year-old|años|ans\b|[jJ]ahre alt|anni\b|jaar oud|anos\b)"
)
_TURNED: Final = (
    r"aged?|age of|age is|turn(?:ed|s|ing)?|I'm|I am|(?:he|she|I) (?:was|is)|when (?:he|she|I|they) (?:was|were)|"
    r"alter|edad|âge"
)
_TITLE: Final = "Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Sir|Madam|Rev|Herr|Frau|Mme|Mlle|Señora?|Sra?|Dra|Signora?|Sig|Dhr|Mevr"
_PASSPORT: Final = "passport|reisepass|passeport|pasaporte|passaporto|paspoort|paszport|reisepassnummer"
_LICENCE: Final = (
    r"driv(?:er['’]?s?|ing) licen[cs]e|dln?|führerschein(?:nummer)?|permis de conduire|"
    r"permiso de conducir|patente"
)
_PLATE: Final = (
    r"licen[cs]e plate|number plate|plate|registration|reg|kennzeichen|immatriculation|matr[ií]cula|targa|kenteken"
)
_ACCOUNT: Final = "account|acct|konto|kontonummer|compte|cuenta|sort code|routing|aba|bic|swift"
_NUMBER: Final = (
    r"(?:tax|vat|ust|steuer|fiscal|national|identity|insurance|social security|medical record|patient|mrn|ssn)"
    r"(?:[- ]?(?:identification|identity|insurance|id|card))?"
)
_ZIP: Final = r"zip|postal|postcode|post code|plz|código postal|code postal|postnummer"

PAPERS: Final = (
    PatternRule("date", "date", _DATE, 0.9),
    PatternRule("date_of_birth", "date_of_birth", _DATE, 0.3, None, "", "birth", 0.97),
    PatternRule("date", "day", r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b", 0.6),
    PatternRule("date", "year", rf"(?i:\b(?:{_IN})) (?P<value>{_YEAR})(?![\w%-]|[.,]\d)", 0.7),
    PatternRule("age", "age", rf"(?<![\w.,])(?P<value>1?\d{{1,2}})(?={_OLD})", 0.95),
    PatternRule(
        "age", "age_named",
        rf"(?i:\b(?:{_TURNED})):? (?:just )?(?P<value>1?\d{{1,2}})"
        r"(?=\s{0,2}(?:[.,!?;\n)]|\Z|and\b|but\b|this\b|next\b|years?\b))", 0.8,
    ),
    PatternRule("title", "title", rf"(?i:\b(?:{_TITLE})\b)\.?(?=\s{{1,2}}[^\W\d_])", 0.7),
    PatternRule("passport", "passport", _named(_PASSPORT, r"[A-Z]{0,2}\d[A-Z\d]{5,8}"), 0.98, _digit),
    PatternRule(
        "driving_licence", "driving_licence", _named(_LICENCE, r"[A-Z\d](?:[ -]?[A-Z\d]){4,19}"), 0.98, _digit
    ),
    PatternRule("plate", "plate", _named(_PLATE, r"[A-ZÄÖÜ\d]{1,4}(?:[ -]?[A-Z\d]{1,5}){1,3}"), 0.9, _digit),
    PatternRule(
        "plate", "plate_shape",
        r"(?<![\w-])(?:[A-Z]{2}\d{2} [A-Z]{3}|[A-Z]{2}-\d{3}-[A-Z]{2}|[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} \d{1,4})(?![\w-])", 0.6,
    ),
    PatternRule("account", "account", _named(_ACCOUNT, r"[A-Z]{6}[A-Z\d]{2,5}|\d[\d -]{4,18}\d"), 0.75),
    PatternRule("national_id", "number", _named(_NUMBER, r"[A-Z]{0,3}\d(?:[ ./-]?[A-Z\d]){5,14}"), 0.75),
    PatternRule(
        "postcode", "postcode", _named(_ZIP, r"[A-Z]{0,2}\d[A-Z\d]{1,4}(?:[- ]\d[A-Z\d]{1,3})?"), 0.9, _digit
    ),
    PatternRule(
        "postcode", "postcode_gb",
        r"(?<!\w)[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d(?:\d|[A-Z])?|\d[A-Z]) ?\d[ABD-HJLNP-UW-Z]{2}(?!\w)", 0.7,
    ),
)  # fmt: skip
