"""Numbers, units and dates of two questions compared: one that differs is another question.

Values are brought to one form ("1,000 g", "1 kg" and "a thousand grams" are the same), the multisets compared. In doubt
two are different: a missed hit costs a call, a wrong one an answer. English words, SI and common units. Pure.
"""

import re
from collections import Counter
from decimal import Decimal
from typing import Final

from mainstay.caching.words import unify

__all__ = ["numbers", "numbers_differ"]

_UNITS_SPELT: Final = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen"""
_TENS_SPELT: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS_SPELT: Final = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_DAYS_SPELT: Final = "monday tuesday wednesday thursday friday saturday sunday"
_SMALL: Final = {word: at for at, word in enumerate(_UNITS_SPELT.split())}
_TENS: Final = {word: 10 * at for at, word in enumerate(_TENS_SPELT.split(), 2)}
_LARGE: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
                 "lakh": 10**5, "lakhs": 10**5, "crore": 10**7, "crores": 10**7}  # fmt: skip
_SHORT_LARGE: Final = {"k": 1000, "m": 10**6, "mn": 10**6, "bn": 10**9, "b": 10**9, "cr": 10**7}
_OTHER: Final[dict[str, int | Decimal]] = {
    "once": 1, "twice": 2, "thrice": 3, "half": Decimal("0.5"), "double": 2, "triple": 3, "dozen": 12, "single": 1,
    "couple": 2, "quarter": Decimal("0.25"), "both": 2,
}  # fmt: skip
_ORDINALS: Final = {word: at for at, word in enumerate(_ORDINALS_SPELT.split(), 1)}
_MONTHS: Final = {
    name: at
    for at, names in enumerate(
        ("january jan", "february feb", "march", "april apr", "may", "june jun", "july jul", "august aug",
         "september sept sep", "october oct", "november nov", "december dec"), 1
    )
    for name in names.split()
}  # fmt: skip
#: Months that are words, too: they count beside a number only.
_DOUBTFUL: Final = frozenset({"may", "march", "jan", "jun", "sep", "mar", "dec"})
_DAYS: Final = {day: at for at, day in enumerate(_DAYS_SPELT.split(), 1)}
#: Days and spans that are told from where one stands.
_RELATIVE: Final = re.compile(
    r"\b(today|tonight|tomorrow|yesterday|(?:this|next|last|past|previous|coming)\s+"
    r"(?:week|month|year|quarter|weekend|night|decade|century|monday|tuesday|wednesday|thursday|friday|saturday|sunday))"
    r"(?:'s)?\b"
)


def _units() -> dict[str, tuple[str, Decimal]]:
    rows = {
        "mass": "g gram grams gm gms=1 kg kgs kilo kilos kilogram kilograms=1000 mg milligram milligrams=0.001 "
        "t ton tons tonne tonnes=1000000 lb lbs pound pounds=453.59237 oz ounce ounces=28.349523125",
        "length": "m meter meters metre metres=1 km kms kilometer kilometers kilometre kilometres=1000 "
        "cm cms centimeter centimeters centimetre centimetres=0.01 mm millimeter millimeters millimetre=0.001 "
        "mile miles mi=1609.344 ft foot feet=0.3048 in inch inches=0.0254 yd yard yards=0.9144",
        "time": "s sec secs second seconds=1 ms millisecond milliseconds=0.001 min mins minute minutes=60 "
        "h hr hrs hour hours=3600 d day days=86400 week weeks wk wks=604800",
        "months": "month months=1 yr yrs year years=12 decade decades=120 century centuries=1200",
        "volume": "l liter liters litre litres=1 ml milliliter milliliters=0.001 gallon gallons=3.785411784",
        "bytes": "byte bytes=1 kb=1000 mb=1000000 gb=1000000000 tb=1000000000000 "
        "kib=1024 mib=1048576 gib=1073741824 tib=1099511627776",
        "speed": "mph=1.609344 kmh kph kmph=1",
        "frequency": "hz=1 khz=1000 mhz=1000000 ghz=1000000000",
        "power": "w watt watts=1 kw kilowatt kilowatts=1000 mw=1000000",
        "energy": "kcal kilocalorie kilocalories calorie calories cal=1",
        "voltage": "v volt volts=1",
        "share": "% percent pct=1",
        "usd": "$ usd dollar dollars buck bucks=1 cent cents=0.01",
        "eur": "€ eur euro euros=1",
        "gbp": "£ gbp quid=1",
        "inr": "₹ rs inr rupee rupees=1",
        "celsius": "°c celsius centigrade=1",
        "fahrenheit": "°f fahrenheit=1",
        "years old": "yo=1",
    }
    table = {}
    for dimension, text in rows.items():
        waiting: list[str] = []
        for word in text.split():
            name, equals, factor = word.partition("=")
            waiting.append(name)
            if equals:
                table.update(dict.fromkeys(waiting, (dimension, Decimal(factor))))
                waiting = []
    return table


_UNITS: Final = _units()
_ISO: Final = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_FIRST: Final = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})\b\.?(?:,?\s+(\d{{4}}))?")
_MONTH_FIRST: Final = re.compile(
    rf"\b({_MONTH})\b\.?\s+(?:the\s+)?(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*%)(?:,?\s+(\d{{4}}))?"
)
_CLOCK: Final = re.compile(r"\b(\d{1,2})(?::(\d{2}))?\s*([ap])\.?m\b\.?|\b(\d{1,2}):(\d{2})\b")
_VERSION: Final = re.compile(r"\d+(?:\.\d+){2,}|\d+(?:/\d+)+|\d+(?::\d+)+")
_MONEY: Final = re.compile(r"([$€£₹]|\b(?:rs|inr|usd|eur|gbp)\b)\.?\s*(?=\d)")
_SIGN: Final = {"rs": "₹", "inr": "₹", "usd": "$", "eur": "€", "gbp": "£"}
_PLAIN: Final = re.compile(
    r"(?<![\d.])([-−]?)((?:\d{1,3}(?:,\d{2,3})+|\d+)(?:\.\d+)?|\.\d+)"
    r"(st\b|nd\b|rd\b|th\b)?[\s-]*(?:([%]|°\s?[cf]\b)|([a-z]+)\b)?(?:[\s-]*([a-z]+)\b)?"
)
_TOKENS: Final = re.compile(r"[a-z]+")


def numbers(text: str) -> Counter[tuple[str, str]]:
    """Return the quantities of ``text``, each a dimension and a value in its base unit, and how often each stands."""
    rest = unify(text).lower()
    found: Counter[tuple[str, str]] = Counter()

    def take(pattern: re.Pattern[str], name: "str", rest: str) -> str:
        def keep(match: re.Match[str]) -> str:
            found[_dated(name, match)] += 1
            return " ; "

        return pattern.sub(keep, rest)

    for pattern, name in (
        (_ISO, "iso"), (_DAY_FIRST, "day"), (_MONTH_FIRST, "month"), (_CLOCK, "clock"), (_VERSION, "as is"),
        (_RELATIVE, "when"),
    ):  # fmt: skip
        rest = take(pattern, name, rest)
    rest = _plain(_MONEY.sub(lambda match: f" {_SIGN.get(match[1], match[1])} ", rest), found)
    _in_words(_TOKENS.findall(rest.replace("-", " ")), found)
    return found


def _dated(name: str, match: re.Match[str]) -> tuple[str, str]:
    parts = match.groups()
    if name == "iso":
        return "date", f"{parts[0]}-{parts[1]}-{parts[2]}"
    if name in ("day", "month"):
        day, month = (parts[0], parts[1]) if name == "day" else (parts[1], parts[0])
        return "date", f"{parts[2] or '----'}-{_MONTHS[month]:02}-{int(day):02}"
    if name == "clock":
        hour, minute = int(parts[0] or parts[3]), int(parts[1] or parts[4] or 0)
        if parts[2]:
            hour = hour % 12 + (12 if parts[2] == "p" else 0)
        return "clock", f"{hour:02}:{minute:02}"
    return name, " ".join(match[0].removesuffix("'s").split())


def _plain(text: str, found: Counter[tuple[str, str]]) -> str:
    """Take the numbers in digits out of ``text``."""
    kept, at = [], 0
    for match in _PLAIN.finditer(text):
        sign, digits, ordinal, mark, word, after = match.groups()
        value = Decimal(digits.replace(",", ""))
        end = match.end(2)
        before = text[: match.start()].rstrip()[-1:]
        if ordinal:
            found["ordinal", _written(value)] += 1
            kept.append(text[at : match.start()])
            at = match.end(3)
            continue
        unit = (mark or "").replace(" ", "")
        if mark:
            end = match.end(4)
        money = bool(before) and before in "$€£₹"
        large = _LARGE.get(word or "")
        # "5k" and "5 million"; "5m" of money is a million, of anything else metres.
        if large is None and match.start(5) == match.end(2) and (word == "k" or money):
            large = _SHORT_LARGE.get(word or "")
        if large:
            value, end, unit = value * large, match.end(5), after if after in _UNITS else ""
            end = match.end(6) if unit else end
        elif word in _UNITS:
            unit, end = word, match.end(5)
        if money:
            unit = before
        dimension, factor = _UNITS.get(unit, ("", Decimal(1)))
        negative = sign if sign and not text[: match.start()].rstrip(" ")[-1:].isalnum() else ""
        # "3.10" without a unit may be a version, which "3.1" is not.
        written = _written(value * factor) if dimension or large else digits.replace(",", "")
        found[dimension, ("-" if negative else "") + written] += 1
        kept.append(text[at : match.start()])
        at = max(end, at)
    kept.append(text[at:])
    return " ; ".join(kept)


def _in_words(tokens: list[str], found: Counter[tuple[str, str]]) -> None:
    at = 0
    while at < len(tokens):
        value, used = _spelt(tokens, at)
        if used:
            following = tokens[at + used] if at + used < len(tokens) else ""
            dimension, factor = _UNITS.get(following, ("", Decimal(1)))
            # "one" alone is a pronoun: "which one", "one should".
            if used > 1 or tokens[at] != "one" or dimension:
                found[dimension, _written(value * factor)] += 1
            at += used
            continue
        word = tokens[at]
        if word in _ORDINALS and not (word == "second" and at and tokens[at - 1] in ("a", "per", "every", "each")):
            found["ordinal", str(_ORDINALS[word])] += 1
        elif word in _OTHER:
            found["", _written(Decimal(_OTHER[word]))] += 1
        elif word in _DAYS or word.removesuffix("s") in _DAYS:
            found["weekday", str(_DAYS[word.removesuffix("s")])] += 1
        elif word in _MONTHS and word not in _DOUBTFUL:
            found["month", str(_MONTHS[word])] += 1
        at += 1


def _spelt(tokens: list[str], at: int) -> tuple[Decimal, int]:
    """Return the number that begins at ``at`` in words, and how many words it takes; none: 0 words."""
    total, part, used = 0, 0, 0
    first = at
    while at < len(tokens):
        word = tokens[at]
        if word in _SMALL or word in _TENS:
            if used and tokens[at - 1] in _SMALL:
                break
            part += _SMALL.get(word, 0) + _TENS.get(word, 0)
        elif word in _LARGE and (used or (at > first - 1 and at and tokens[at - 1] in ("a", "an", "per"))):
            if word == "hundred":
                part = (part or 1) * 100
            else:
                total, part = total + (part or 1) * _LARGE[word], 0
        elif (
            word == "and"
            and used
            and tokens[at - 1] in _LARGE
            and at + 1 < len(tokens)
            and tokens[at + 1] in _SMALL | _TENS
        ):
            pass
        else:
            break
        at += 1
        used += 1
    return Decimal(total + part), used


def _written(value: Decimal) -> str:
    return f"{value.normalize():f}"


def numbers_differ(first: str, second: str) -> str | None:
    """Return what number stands in one of the two texts only, None where they say the same."""
    mine, theirs = numbers(first), numbers(second)
    if mine == theirs:
        return None
    (dimension, value), _ = next(iter(((mine - theirs) or (theirs - mine)).items()))
    return f"{value} {dimension}".strip()
