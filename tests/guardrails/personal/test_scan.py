"""The scanner of personal data: what it finds, what it leaves alone, and that windows see what the whole shows."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import StartError
from mainstay.guardrails.personal import PersonalConfig, PersonalScanner, open_personal
from mainstay.guardrails.personal.config import Kind
from mainstay.guardrails.personal.scan import REACH


@pytest.fixture(scope="module")
def everything() -> PersonalScanner:
    return open_personal(PersonalConfig(kinds=get_args(Kind)))


@pytest.fixture(scope="module")
def usual() -> PersonalScanner:
    return open_personal(PersonalConfig())


def found(scanner: PersonalScanner, text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in scanner.scan(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to anna.k+x@mail.example.co.uk now", "email", "anna.k+x@mail.example.co.uk"),
        ("see https://user:hunter2@host.example/x", "credentials", "user:hunter2"),
        ("see https://host.example/a?b=c.", "url", "https://host.example/a?b=c"),
        ("host 192.168.7.33 is down", "ip", "192.168.7.33"),
        ("host 2001:db8::8a2e:370:7334 is down", "ip", "2001:db8::8a2e:370:7334"),
        ("NIC 00:1B:44:11:3A:B7 here", "mac", "00:1B:44:11:3A:B7"),
        ("pay with 4111 1111 1111 1111 please", "card", "4111 1111 1111 1111"),
        ("to DE89 3704 0044 0532 0130 00 today", "iban", "DE89 3704 0044 0532 0130 00"),
        ("send to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "crypto", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("send to 0x52908400098527886E0F7030069857D2E4169EE7", "crypto", "0x52908400098527886E0F7030069857D2E4169EE7"),
        ("call +44 20 7946 0958 today", "phone", "+44 20 7946 0958"),
        ("call me on 07700 900123", "phone", "07700 900123"),
        ("Tel.: (212) 555-0134", "phone", "(212) 555-0134"),
        ("my ssn is 536-90-4399", "national_id", "536-90-4399"),
        ("CPF 390.533.447-05", "national_id", "390.533.447-05"),
        ("Passport no. X4K8821P0", "passport", "X4K8821P0"),
        ("driver's license number is D123-4567-8901", "driving_licence", "D123-4567-8901"),
        ("license plate: KA 51 MB 2291", "plate", "KA 51 MB 2291"),
        ("born on 12 March 1981 in", "date_of_birth", "12 March 1981"),
        ("geboren am 03.04.1975", "date_of_birth", "03.04.1975"),
        ("paid on 2024-05-06 at", "date", "2024-05-06"),
        ("a 47-year-old man", "age", "47"),
        ("She just turned 30.", "age", "30"),
        ("ZIP code: 90210", "postcode", "90210"),
        ("Dear Mrs. Okonkwo,", "title", "Mrs."),
        ("Dear Mrs. Okonkwo,", "person", "Okonkwo"),
        ("I spoke with Sarah Johnson about it.", "person", "Sarah Johnson"),
        ("My name is Krisztián Szöllösy.", "person", "Krisztián Szöllösy"),
        ("She moved from Munich to Portugal.", "place", "Munich"),
        ("He works for Siemens AG as a clerk.", "organisation", "Siemens AG"),
        ("the Hungarian embassy", "nationality", "Hungarian"),
    ],
)
def test_a_value_is_found_with_its_kind(everything: PersonalScanner, text: str, kind: str, value: str) -> None:
    assert (kind, value) in found(everything, text)


def test_an_address_of_several_lines_is_one_place(usual: PersonalScanner) -> None:
    text = "Ship it to:\n221 Baker Street\nFlat 4\nLondon NW1 6XE\n\nThanks"
    (one,) = [one for one in usual.scan(text) if one.kind == "address"]
    assert text[one.start : one.end].startswith("221 Baker Street\nFlat 4\nLondon")


@pytest.mark.parametrize(
    "text",
    [
        "ERROR 404 in module worker_7 at 12:01:33, retry=3 id=88213",
        "def compute_Total(Foo): return self.Bar[3] + 0x1f",
        "Order 88213 of 3 items costs $1,299.00 plus 19% tax.",
        "Version 3.11.7 needs 2048 MB and 16 cores.",
        "The quick brown fox jumps over the lazy dog.",
        "Please reset my password; the settings page shows nothing.",
        "See section 4.2 and figure 12 for the years 1990-2020.",
    ],
)
def test_numbers_code_and_plain_sentences_are_left_alone(usual: PersonalScanner, text: str) -> None:
    assert found(usual, text) == []


def test_places_and_firms_are_left_alone_unless_they_are_named(usual: PersonalScanner) -> None:
    assert found(usual, "We buy trains from Siemens AG in Germany.") == []
    assert "place" not in usual.kinds


def test_an_email_is_not_swallowed_by_a_name(usual: PersonalScanner) -> None:
    assert ("email", "sarah.johnson@acme.com") in found(usual, "Sarah Johnson sarah.johnson@acme.com")


def test_own_patterns_and_lists_are_found_and_allowed_values_are_not() -> None:
    config = PersonalConfig.model_validate(
        {
            "kinds": ["email"],
            "patterns": {"customer": {"pattern": r"C-\d{6}"}, "room": {"pattern": r"\d{3}", "context": ["room"]}},
            "lists": {"project": ["Blue Heron"]},
            "allow": ["Help@acme.com"],
        }
    )
    scanner = open_personal(config)
    text = "C-123456 asks help@acme.com and me@acme.com of BLUE HERON in room 214"
    assert found(scanner, "999 is nothing") == []
    assert found(scanner, text) == [
        ("customer", "C-123456"),
        ("email", "me@acme.com"),
        ("project", "BLUE HERON"),
        ("room", "214"),
    ]
    assert scanner.kinds == {"email", "customer", "room", "project"}


def test_only_the_numbers_of_the_countries_named_are_looked_for() -> None:
    scanner = open_personal(PersonalConfig(kinds=("national_id",), countries=("de",)))
    assert found(scanner, "S1234567D") == []
    assert found(open_personal(PersonalConfig(kinds=("national_id",))), "S1234567D") == [("national_id", "S1234567D")]


def test_without_names_only_patterns_count() -> None:
    assert found(open_personal(PersonalConfig(names=False)), "Sarah Johnson, a@b.com") == [("email", "a@b.com")]


def test_presidio_is_asked_for_only_where_it_is_installed() -> None:
    with pytest.raises(StartError, match="is not installed"):
        open_personal(PersonalConfig(presidio=True))


WORDS = st.sampled_from(
    [
        "Sarah",
        "Johnson's",
        "met",
        "Dr.",
        "Li",
        "-",
        "in",
        "Paris",
        ",",
        "12",
        "Main",
        "Street",
        "Apt.",
        "4",
        "\n",
        "Berlin",
        "10115",
        "(",
        "Germany",
        ")",
        "at",
        "Acme",
        "Inc.",
        "&",
        "Sons",
        "of\n",
        "",
        "",
        "",
        "a@b.com",
        "http://x.y/z",
        "555-0134",
        "+44",
        "20",
        "7946",
        "0958",
        "4111",
        "1111",
        "1111",
        "1111",
        "536-90-4399",
        "1990",
        "born",
        "3/4/1985",
        "aged",
        "41",
        "years\n",
        "",
        "",
        "",
        "the",
        "of",
        "and",
        "card",
        "call",
        "passport",
        "X4K8821P0",
        "::1",
        "::",
        "2001:db8::1",
        "10.0.0.1",
        "DE89370400440532013000",
        "0000000000",
        "x",
        "9",
        ".",
        "...",
        "é\n",
        "",
        "",
        "",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "99999999999999999999999999999",
        "ssn",
        "ANNA",
        "BERTA",
        "CARLA",
        "DORA",
        "EMMA",
    ]
)
TEXTS = st.lists(st.one_of(WORDS, st.text(max_size=3)), max_size=160).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(0, 2000), st.integers(1, 400))
def test_a_window_with_its_reach_shows_what_the_whole_shows(
    everything: PersonalScanner, text: str, start: int, size: int
) -> None:
    start = min(start, len(text))
    end = min(start + size, len(text))
    low, high = max(0, start - REACH), min(len(text), end + REACH)
    inner = [one for one in everything.scan(text) if start <= one.start and one.end <= end]
    seen = [
        (one.start + low, one.end + low, one.kind, one.rule)
        for one in everything.scan(text[low:high])
        if start <= one.start + low and one.end + low <= end
    ]
    assert seen == [(one.start, one.end, one.kind, one.rule) for one in inner]


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(), TEXTS))
def test_findings_are_in_order_without_overlaps_and_of_known_kinds(everything: PersonalScanner, text: str) -> None:
    end = 0
    for one in everything.scan(text):
        assert end <= one.start < one.end <= len(text)
        assert one.kind in everything.kinds
        assert 0 < one.score <= 1
        assert one.end - one.start <= everything.reach
        end = one.end
