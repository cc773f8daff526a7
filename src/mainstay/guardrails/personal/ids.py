"""National identity, tax and insurance numbers, by country: how each is written and its check digits.

A number whose check one in ten random numbers passes counts only beside a word that names it; see ``score`` and
``words``. Sources: the issuing offices' own descriptions, as gathered on each country's page of Wikipedia's national
identification numbers. It knows nothing of texts.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mainstay.guardrails.personal.checksums import digits, luhn, mod11_10, verhoeff, weighted

__all__ = ["IDS", "IdRule"]

_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"


class IdRule(msgspec.Struct, frozen=True):
    """How one kind of number is written.

    ``score``: how sure a number is that passes ``check``, with none of ``words`` near.
    """

    country: str
    name: str
    pattern: str
    check: Callable[[str], bool]
    score: float
    words: Sequence[str]


def _rule(country: str, name: str, pattern: str, check: Callable[[str], bool], score: float, words: str = "") -> IdRule:
    # Digits go on neither before nor after: a part of a longer number is none.
    edges = rf"(?<![\w.,/-])(?<!\d )(?:{pattern})(?![\w/-]|[ .,]\d)"
    return IdRule(country, f"{country}_{name}", edges, check, score, tuple(words.split(",")) if words else ())


def _date(day: int, month: int) -> bool:
    return 1 <= day <= 31 and 1 <= month <= 12


def _ssn(text: str) -> bool:
    plain = "".join(map(str, digits(text)))
    return plain[:3] not in ("000", "666") and plain[3:5] != "00" and plain[5:] != "0000" and len(set(plain)) > 1


def _nhs(text: str) -> bool:
    numbers = digits(text)
    return (11 - weighted(numbers, range(10, 1, -1), 11)) % 11 == numbers[9] and len(set(numbers)) > 1


def _nir(text: str) -> bool:
    plain = re.sub(r"\W", "", text).replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


def _dni(text: str) -> bool:
    plain = re.sub(r"\W", "", text).upper()
    number = plain[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return _LETTERS[int(number) % 23] == plain[-1]


def _codice_fiscale(text: str) -> bool:
    odd = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True))
    letters = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    odd |= {chr(65 + place): value for place, value in enumerate(letters)}
    total = sum(
        odd[m] if place % 2 == 0 else int(m, 36) % 10 if m.isdigit() else ord(m) - 65
        for place, m in enumerate(text[:15])
    )
    return chr(65 + total % 26) == text[15]


def _bsn(text: str) -> bool:
    return weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1), 11) == 0 and len(set(digits(text))) > 1


def _belgian(text: str) -> bool:
    plain = "".join(map(str, digits(text)))
    body, last = plain[:9], int(plain[9:])
    return last in (97 - int(body) % 97, 97 - int("2" + body) % 97)


def _ahv(text: str) -> bool:
    numbers = digits(text)
    return (10 - weighted(numbers, (1, 3) * 6, 10)) % 10 == numbers[12]


def _personnummer(text: str) -> bool:
    numbers = digits(text)[-10:]
    return _date((numbers[4] * 10 + numbers[5] - 1) % 60 + 1, numbers[2] * 10 + numbers[3]) and luhn(
        "".join(map(str, numbers))
    )


def _norwegian(text: str) -> bool:
    return (
        weighted(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), 11) == 0
        and weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), 11) == 0
    )


def _hetu(text: str) -> bool:
    plain = text[:6] + text[7:10]
    return _date(int(text[:2]), int(text[2:4])) and _HETU[int(plain) % 31] == text[10]


def _pps(text: str) -> bool:
    second = ord(text[8]) - 64 if len(text) > 8 and text[8] != "W" else 0
    total = sum(int(mark) * weight for mark, weight in zip(text, range(8, 1, -1), strict=False)) + second * 9
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == text[7]


def _pesel(text: str) -> bool:
    month = int(text[2:4]) % 20
    return 1 <= month <= 12 and weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10) == 0


def _rodne(text: str) -> bool:
    plain = text.replace("/", "")
    month = int(plain[2:4]) % 50 % 20
    return 1 <= month <= 12 and int(plain) % 11 == 0


def _cnp(text: str) -> bool:
    check = weighted(text, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9), 11)
    return _date(int(text[5:7]), int(text[3:5])) and (1 if check == 10 else check) == int(text[12])


def _egn(text: str) -> bool:
    month = int(text[2:4]) % 20
    return _date(int(text[4:6]), month) and weighted(text, (2, 4, 8, 5, 10, 9, 7, 3, 6), 11) % 10 == int(text[9])


def _baltic(text: str) -> bool:
    if not _date(int(text[5:7]), int(text[3:5])):
        return False
    check = weighted(text, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1), 11)
    if check == 10:
        check = weighted(text, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3), 11) % 10
    return check == int(text[10])


def _emso(text: str) -> bool:
    check = 11 - weighted(text, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 11)
    return _date(int(text[:2]), int(text[2:4])) and check % 11 == int(text[12])


def _tckn(text: str) -> bool:
    n = digits(text)
    return (sum(n[0:9:2]) * 7 - sum(n[1:8:2])) % 10 == n[9] and sum(n[:10]) % 10 == n[10]


def _cpf(text: str) -> bool:
    n = digits(text)
    first = weighted(n, range(10, 1, -1), 11)
    second = weighted(n, range(11, 1, -1), 11)
    return len(set(n)) > 1 and (11 - first) % 11 % 10 == n[9] and (11 - second) % 11 % 10 == n[10]


def _rut(text: str) -> bool:
    plain = re.sub(r"[.\-]", "", text).upper()
    total = sum(int(mark) * (2 + place % 6) for place, mark in enumerate(reversed(plain[:-1])))
    return "0123456789K0"[11 - total % 11] == plain[-1]


def _curp(text: str) -> bool:
    marks = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(marks.index(mark) * (18 - place) for place, mark in enumerate(text[:17]))
    return (10 - total % 10) % 10 == int(text[17])


def _chinese(text: str) -> bool:
    weights = [2 ** (17 - place) % 11 for place in range(17)]
    return (
        _date(int(text[12:14]), int(text[10:12]))
        and "10X98765432"[weighted(text[:17], weights, 11)] == text[17].upper()
    )


def _rrn(text: str) -> bool:
    n = digits(text)
    check = (11 - weighted(n, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), 11)) % 10
    return _date(n[4] * 10 + n[5], n[2] * 10 + n[3]) and check == n[12]


def _taiwanese(text: str) -> bool:
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    return weighted([code // 10, code % 10, *digits(text[1:])], (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), 10) == 0


def _nric(text: str) -> bool:
    total = weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2), 11) + (4 if text[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if text[0] in "ST" else "XWUTRQPNMLK")[total % 11] == text[8]


def _thai(text: str) -> bool:
    n = digits(text)
    return (11 - weighted(n, range(13, 1, -1), 11)) % 10 == n[12]


def _austrian(text: str) -> bool:
    n = digits(text)
    return _date(n[4] * 10 + n[5], n[6] * 10 + n[7]) and weighted(n, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6), 11) == n[3]


def _nif(text: str) -> bool:
    check = 11 - weighted(text, range(9, 1, -1), 11)
    return (0 if check > 9 else check) == int(text[8])


def _kennitala(text: str) -> bool:
    n = digits(text)
    return _date(n[0] * 10 + n[1], n[2] * 10 + n[3]) and weighted(n, (3, 2, 7, 6, 5, 4, 3, 2, 1), 11) == 0


def _cpr(text: str) -> bool:
    return _date(int(text[:2]), int(text[2:4]))


def _afm(text: str) -> bool:
    return weighted(text, (256, 128, 64, 32, 16, 8, 4, 2), 11) % 10 == int(text[8])


def _south_african(text: str) -> bool:
    return _date(int(text[4:6]), int(text[2:4])) and luhn(text)


def _snils(text: str) -> bool:
    n = digits(text)
    return weighted(n, range(9, 0, -1), 101) % 100 == n[9] * 10 + n[10]


def _inn(text: str) -> bool:
    first = weighted(text, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8), 11) % 10
    second = weighted(text, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8), 11) % 10
    return (first, second) == (int(text[10]), int(text[11]))


def _hkid(text: str) -> bool:
    plain = re.sub(r"\W", "", text)
    letters = plain[:-7].rjust(2)
    values = [36 if mark == " " else int(mark, 36) for mark in letters] + digits(plain[-7:-1])
    total = sum(value * (9 - place) for place, value in enumerate(values))
    return (total + (10 if plain[-1] == "A" else int(plain[-1]))) % 11 == 0


def _tfn(text: str) -> bool:
    return weighted(text, (1, 4, 3, 7, 5, 8, 6, 9, 10), 11) == 0


def _medicare(text: str) -> bool:
    return weighted(text, (1, 3, 7, 9, 1, 3, 7, 9), 10) == digits(text)[8]


def _any(text: str) -> bool:
    return True


_NINO: Final = r"(?![DFIQUV])[A-Z](?![DFIQUVO])[A-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"
_NIR: Final = r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"
_MYKAD: Final = r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-\d{2}-\d{4}"

IDS: Final = (
    _rule("us", "ssn", r"(?!9)\d{3}-\d{2}-\d{4}|(?!9)\d{3} \d{2} \d{4}", _ssn, 0.85, "ssn,social security,social"),
    _rule("us", "ssn_plain", r"(?!9)\d{9}", _ssn, 0.1, "ssn,social security"),
    _rule("us", "itin", r"9\d{2}-(?:[5-8]\d|9[0-24-9])-\d{4}", _any, 0.8, "itin,taxpayer"),
    _rule("gb", "nino", _NINO, _any, 0.8, "national insurance,nino"),
    _rule("gb", "nhs", r"\d{3}[ -]\d{3}[ -]\d{4}|\d{10}", _nhs, 0.2, "nhs,health number"),
    _rule("ca", "sin", r"\d{3}[ -]\d{3}[ -]\d{3}|\d{9}", luhn, 0.2, "sin,social insurance,assurance sociale"),
    _rule("fr", "nir", _NIR, _nir, 0.9, "sécurité sociale,nir"),
    _rule("de", "tax", r"[1-9]\d{10}|[1-9]\d ?\d{3} ?\d{3} ?\d{3}", mod11_10, 0.3, "steuer,tax id,idnr,tin"),
    _rule("es", "dni", r"\d{8}-?[A-HJ-NP-TV-Z]|[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]", _dni, 0.85, "dni,nie,nif"),
    _rule("it", "fiscal", r"[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", _codice_fiscale, 0.98, "codice fiscale"),
    _rule("pt", "nif", r"[1235689]\d{8}|[1235689]\d{2} \d{3} \d{3}", _nif, 0.2, "nif,contribuinte,fiscal"),
    _rule("nl", "bsn", r"\d{9}", _bsn, 0.2, "bsn,burgerservice,sofi"),
    _rule("be", "nrn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}|\d{11}", _belgian, 0.6, "rijksregister,national,insz,niss"),
    _rule("at", "svnr", r"[1-9]\d{3} ?\d{6}", _austrian, 0.4, "svnr,sozialversicherung,versicherungsnummer"),
    _rule("ch", "ahv", r"756\.?\d{4}\.?\d{4}\.?\d{2}", _ahv, 0.95, "ahv,avs"),
    _rule("se", "personnummer", r"(?:19|20)?\d{6}[-+]?\d{4}", _personnummer, 0.4, "personnummer,personal number"),
    _rule("no", "fnr", r"\d{6} ?\d{5}", _norwegian, 0.7, "fødselsnummer,fnr,personnummer"),
    _rule("dk", "cpr", r"\d{6}-\d{4}", _cpr, 0.4, "cpr,personnummer"),
    _rule("fi", "hetu", r"\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", _hetu, 0.9, "hetu,henkilötunnus"),
    _rule("is", "kennitala", r"\d{6}-?\d{4}", _kennitala, 0.3, "kennitala"),
    _rule("ie", "pps", r"\d{7}[A-W][A-IW]?", _pps, 0.7, "pps,ppsn"),
    _rule("pl", "pesel", r"\d{11}", _pesel, 0.5, "pesel"),
    _rule("cz", "rodne", r"\d{6}/\d{4}", _rodne, 0.9, "rodné číslo,rodne cislo"),
    _rule("cz", "rodne_plain", r"\d{10}", _rodne, 0.1, "rodné číslo,rodne cislo"),
    _rule("ro", "cnp", r"[1-9]\d{12}", _cnp, 0.7, "cnp,cod numeric"),
    _rule("bg", "egn", r"\d{10}", _egn, 0.3, "егн,egn"),
    _rule("hr", "oib", r"\d{11}", mod11_10, 0.2, "oib"),
    _rule("si", "emso", r"\d{13}", _emso, 0.6, "emšo,emso,jmbg"),
    _rule("ee", "isikukood", r"[1-6]\d{10}", _baltic, 0.5, "isikukood,asmens kodas"),
    _rule("gr", "afm", r"\d{9}", _afm, 0.15, "αφμ,afm"),
    _rule("tr", "tckn", r"[1-9]\d{10}", _tckn, 0.6, "tc kimlik,kimlik,tckn"),
    _rule("br", "cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", _cpf, 0.97, "cpf"),
    _rule("br", "cpf_plain", r"\d{11}", _cpf, 0.5, "cpf"),
    _rule("cl", "rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]|\d{7,8}-[\dkK]", _rut, 0.8, "rut,run"),
    _rule("mx", "curp", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[A-Z\d]\d", _curp, 0.98, "curp"),
    _rule("cn", "resident", r"[1-9]\d{5}(?:19|20)\d{9}[\dXx]", _chinese, 0.95, "身份证,id card"),
    _rule("in", "aadhaar", r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}|[2-9]\d{11}", verhoeff, 0.5, "aadhaar,aadhar,uidai"),
    _rule("in", "pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", _any, 0.6, "pan,permanent account"),
    _rule("kr", "rrn", r"\d{6}-\d{7}", _rrn, 0.95, "주민등록,rrn"),
    _rule("tw", "id", r"[A-Z][1289]\d{8}", _taiwanese, 0.7, "身分證,national id"),
    _rule("hk", "hkid", r"[A-Z]{1,2}\d{6}\(?[\dA]\)?", _hkid, 0.6, "hkid,identity card"),
    _rule("sg", "nric", r"[STFG]\d{7}[A-Z]", _nric, 0.9, "nric,fin"),
    _rule("th", "id", r"[1-8]-\d{4}-\d{5}-\d{2}-\d|[1-8]\d{12}", _thai, 0.4, "บัตรประชาชน,thai id"),
    _rule("my", "nric", _MYKAD, _any, 0.8, "mykad,nric,kad pengenalan"),
    _rule("za", "id", r"\d{13}", _south_african, 0.6, "id number,identity number"),
    _rule("il", "id", r"\d{9}", luhn, 0.1, "teudat,תעודת זהות,israeli id"),
    _rule("au", "tfn", r"\d{3} ?\d{3} ?\d{3}", _tfn, 0.2, "tfn,tax file"),
    _rule("au", "medicare", r"[2-6]\d{3} ?\d{5} ?\d", _medicare, 0.3, "medicare"),
    _rule("ru", "snils", r"\d{3}-\d{3}-\d{3}[ -]\d{2}", _snils, 0.9, "снилс,snils"),
    _rule("ru", "inn", r"\d{12}", _inn, 0.5, "инн,inn"),
)  # fmt: skip
