"""Numbers of identity: the examples that offices and standards publish are found, others are not."""

import re

import pytest

from mainstay.guardrails.personal import PersonalConfig
from mainstay.guardrails.personal.ids import IDS

EXAMPLES = {
    "us_ssn": "536-90-4399",
    "us_itin": "912-90-3456",
    "gb_nino": "AB 12 34 56 C",
    "gb_nhs": "943 476 5919",
    "ca_sin": "046 454 286",
    "fr_nir": "1 84 12 76 451 089 46",
    "de_tax": "86095742719",
    "es_dni": "12345678Z",
    "it_fiscal": "RSSMRA85T10A562S",
    "pt_nif": "123456789",
    "nl_bsn": "111222333",
    "be_nrn": "85.07.30-033.28",
    "at_svnr": "1237 010180",
    "ch_ahv": "756.9217.0769.85",
    "se_personnummer": "811228-9874",
    "no_fnr": "29029900157",
    "dk_cpr": "211062-5629",
    "fi_hetu": "131052-308T",
    "is_kennitala": "120174-3399",
    "ie_pps": "1234567T",
    "pl_pesel": "44051401359",
    "cz_rodne": "710319/2745",
    "ro_cnp": "1630615123457",
    "bg_egn": "7523169263",
    "hr_oib": "33392005961",
    "si_emso": "0101006500006",
    "ee_isikukood": "37605030299",
    "gr_afm": "094259216",
    "tr_tckn": "10000000146",
    "br_cpf": "390.533.447-05",
    "cl_rut": "12.531.909-2",
    "mx_curp": "BOXW310820HNERXN09",
    "cn_resident": "11010519491231002X",
    "in_aadhaar": "2341 2341 2346",
    "in_pan": "ACUPA7085R",
    "kr_rrn": "971013-9019902",
    "tw_id": "A123456789",
    "hk_hkid": "A123456(3)",
    "sg_nric": "S1234567D",
    "th_id": "1-2345-45678-78-1",
    "my_nric": "770305-02-1234",
    "za_id": "7503305044089",
    "il_id": "039337423",
    "au_tfn": "123 456 782",
    "au_medicare": "2123 45670 1",
    "ru_snils": "112-233-445 95",
    "ru_inn": "500100732259",
}
RULES = {rule.name: rule for rule in IDS}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_published_example_is_known(name: str) -> None:
    rule, number = RULES[name], EXAMPLES[name]
    match = re.search(rule.pattern, f"number {number}, and")
    assert match is not None
    assert match[0] == number
    assert rule.check(number)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_part_of_a_longer_number_is_none(name: str) -> None:
    rule, number = RULES[name], EXAMPLES[name]
    assert re.search(rule.pattern, f"5{number}5") is None


@pytest.mark.parametrize(
    "name",
    sorted(
        set(EXAMPLES) - {"us_ssn", "us_itin", "gb_nino", "in_pan", "my_nric", "dk_cpr", "au_medicare", "is_kennitala"}
    ),
)
def test_most_random_numbers_of_the_same_shape_fail_the_check(name: str) -> None:
    rule, number = RULES[name], EXAMPLES[name]
    last = max(place for place, mark in enumerate(number) if mark.isdigit())
    others = [number[:last] + digit + number[last + 1 :] for digit in "0123456789" if digit != number[last]]
    assert sum(rule.check(other) for other in others if re.fullmatch(rule.pattern, other)) <= 2


def test_every_country_has_a_code_and_names_are_unique() -> None:
    assert len(RULES) == len(IDS)
    assert all(re.fullmatch("[a-z]{2}", rule.country) for rule in IDS)
    assert len({rule.country for rule in IDS}) >= 40
    PersonalConfig(countries=tuple({rule.country for rule in IDS}))
