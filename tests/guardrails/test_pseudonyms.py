"""Pseudonyms: the same everywhere for the same value, nobody else's, and restored exactly."""

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.guardrails.port import Finding
from mainstay.guardrails.pseudonyms import Pseudonyms, Style, derive_key
from mainstay.guardrails.restore import restore

KEY = derive_key(b"m" * 32, "acme")
TEXT = "Dear Sarah Johnson, we wrote to sarah@x.com. Sarah?"
FOUND = [Finding(5, 18, "person"), Finding(32, 43, "email")]
STYLES: tuple[Style, ...] = ("typed", "realistic")


def documents() -> st.SearchStrategy[tuple[str, list[Finding]]]:
    """Texts of any characters, pseudonyms among them, with findings at any places."""
    shown = Pseudonyms(KEY, "c").hide(TEXT, FOUND)[0].split()
    piece = st.one_of(
        st.text(max_size=6),
        st.text(string.ascii_letters + "_-\\ ", max_size=8),
        st.sampled_from([*shown, "PERSON_", "PERSON", "\\_", "Sarah", "sarah@x.com", '"', "\n"]),
    )
    kinds = st.sampled_from(["person", "email", "address", "age", "ip"])

    def build(parts: list[tuple[str, str | None]]) -> tuple[str, list[Finding]]:
        text, findings = "", []
        for part, kind in parts:
            if kind and part:
                findings.append(Finding(len(text), len(text) + len(part), kind))
            text += part
        return text, findings

    return st.lists(st.tuples(piece, st.one_of(st.none(), kinds)), max_size=8).map(build)


@pytest.mark.parametrize("style", STYLES)
def test_a_value_has_the_same_pseudonym_on_every_turn_and_node(style: Style) -> None:
    first = Pseudonyms(KEY, "c", style=style).hide(TEXT, FOUND)[0]
    again = Pseudonyms(derive_key(b"m" * 32, "acme"), "c", style=style)
    again.hide("Before it stood Tom Smith.", [Finding(16, 25, "person")])
    assert again.hide(TEXT, FOUND)[0] == first
    assert "Sarah" not in first
    assert "@x.com" not in first


@pytest.mark.parametrize("style", STYLES)
def test_no_other_tenant_or_conversation_has_it(style: Style) -> None:
    own = set(Pseudonyms(KEY, "c", style=style).hide(TEXT, FOUND)[1])
    for key, conversation in ((derive_key(b"m" * 32, "other"), "c"), (KEY, "d"), (derive_key(b"n" * 32, "acme"), "c")):
        assert own.isdisjoint(Pseudonyms(key, conversation, style=style).hide(TEXT, FOUND)[1])


def test_the_mapping_of_one_call_restores_nothing_of_another_tenants() -> None:
    theirs, _ = Pseudonyms(derive_key(b"m" * 32, "other"), "c").hide(TEXT, FOUND)
    _, mine = Pseudonyms(KEY, "c").hide(TEXT, FOUND)
    assert restore(theirs, mine) == theirs


def test_a_pseudonym_says_what_kind_of_value_it_stands_for() -> None:
    hidden, mapping = Pseudonyms(KEY, "c").hide(TEXT, FOUND)
    person, email = (hidden[5:20], hidden.split()[5].rstrip("."))
    assert mapping[person] == "Sarah Johnson"
    assert person.startswith("PERSON_")
    assert mapping[email] == "sarah@x.com"
    assert email.startswith("EMAIL_")


def test_a_realistic_pseudonym_keeps_who_is_who() -> None:
    hidden, mapping = Pseudonyms(KEY, "c", style="realistic").hide(TEXT, FOUND)
    first, last = hidden.split()[1:3]
    assert mapping[first] == "Sarah"
    assert mapping[last.rstrip(",")] == "Johnson"
    assert hidden.endswith(f"@example.com. {first}?")


@pytest.mark.parametrize("kind", ["person", "email", "url", "phone", "ip", "address"])
def test_a_realistic_pseudonym_is_restored_whatever_its_kind(kind: str) -> None:
    hidden, mapping = Pseudonyms(KEY, "c", style="realistic").hide("the value", [Finding(4, 9, kind)])
    assert "value" not in hidden
    assert restore(hidden, mapping) == "the value"


def test_what_was_noted_in_one_part_is_hidden_in_all() -> None:
    pseudonyms = Pseudonyms(KEY, "c")
    pseudonyms.note(TEXT, FOUND)
    assert "Johnson" not in pseudonyms.hide("as Johnson and sarah@x.com said")[0]
    assert pseudonyms.hide("Johnsonville")[0] == "Johnsonville"


def test_an_age_is_not_hidden_where_it_was_not_found() -> None:
    pseudonyms = Pseudonyms(KEY, "c")
    pseudonyms.note("aged 1234", [Finding(5, 9, "age")])
    assert pseudonyms.hide("1234 boxes")[0] == "1234 boxes"


def test_strings_of_json_are_hidden_as_what_they_mean() -> None:
    value = {"to": 'Jos\u00e9 "Pepe"', "n": 1.50, "k": ["x"]}
    text = json.dumps(value)

    def scan(text: str) -> list[Finding]:
        return [Finding(0, len(text), "person")] if text.startswith("Jos") else []

    hidden, mapping = Pseudonyms(KEY, "c").hide_json(text, scan)
    assert list(mapping.values()) == ['Jos\u00e9 "Pepe"']
    assert json.loads(hidden)["to"] in mapping
    assert json.loads(restore(hidden, mapping, json=True)) == value
    assert '"n": 1.5' in hidden


def test_broken_json_is_hidden_as_text() -> None:
    hidden, mapping = Pseudonyms(KEY, "c").hide_json('{"to": "Tom', lambda text: [Finding(8, 11, "person")])
    assert restore(hidden, mapping) == '{"to": "Tom'
    assert "Tom" not in hidden


@settings(max_examples=150, deadline=None)
@given(documents(), st.sampled_from(STYLES))
def test_a_document_comes_back_exactly(document: tuple[str, list[Finding]], style: Style) -> None:
    text, findings = document
    hidden, mapping = Pseudonyms(KEY, "c", style=style).hide(text, findings)
    assert restore(hidden, mapping) == text


@settings(max_examples=60, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=4), st.sampled_from(STYLES))
def test_every_part_of_a_request_comes_back_exactly(parts: list[tuple[str, list[Finding]]], style: Style) -> None:
    pseudonyms = Pseudonyms(KEY, "c", style=style)
    for text, findings in parts:
        pseudonyms.note(text, findings)
    shown = [pseudonyms.hide(text, findings)[0] for text, findings in parts]
    assert [restore(part, pseudonyms.mapping) for part in shown] == [text for text, _ in parts]
