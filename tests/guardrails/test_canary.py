"""Words that must not leave: found in every form, in windows, and never in other text."""

import base64
import codecs
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.guardrails.canary import CanaryScanner, canary_for, with_canary

CANARY = canary_for(b"key", "acme", "support")
SCANNER = CanaryScanner([CANARY, canary_for(b"key", "acme", "sales")])

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "capitals": str.upper,
    "apart": " ".join,
    "dashes": "-".join,
    "lines": "\n".join,
    "bold": lambda text: f"**{text[:5]}** {text[5:]}",
    "backwards": lambda text: text[::-1],
    "backwards, apart": lambda text: " ".join(text[::-1]),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "hex": lambda text: text.encode().hex(),
    "hex, capitals": lambda text: text.encode().hex(" ").upper(),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "entities": lambda text: "".join(f"&#{byte};" for byte in text.encode()),
    "escapes": lambda text: "".join(f"\\u{byte:04x}" for byte in text.encode()),
    "codes": lambda text: ", ".join(str(byte) for byte in text.encode()),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, one on": lambda text: base64.b64encode(f"a{text}b".encode()).decode(),
    "base64, two on": lambda text: base64.b64encode(f"My: {text}. Yes".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_found_in_every_form(form: str) -> None:
    text = f"Of course: {FORMS[form](CANARY)} is it."
    found = SCANNER.scan(text)
    assert len(found) == 1
    assert found[0].kind == "prompt_leak"
    assert found[0].start >= 11
    assert found[0].end <= len(text) - 7


@settings(deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.text("ab \n", max_size=9), st.integers(0, 200))
def test_a_window_of_the_reach_finds_what_the_whole_finds(form: str, near: str, far: int) -> None:
    text = f"{'so. ' * far}{near}{FORMS[form](CANARY)}{near}{' on' * far}"
    whole = SCANNER.scan(text)
    assert len(whole) == 1
    cut = max(0, whole[0].start - SCANNER.reach)
    window = text[cut : whole[0].end + SCANNER.reach]
    assert [(one.start + cut, one.end + cut) for one in SCANNER.scan(window)] == [(whole[0].start, whole[0].end)]
    assert whole[0].end - whole[0].start <= SCANNER.reach


@given(st.text(max_size=80))
def test_other_text_holds_no_canary(text: str) -> None:
    assert not SCANNER.scan(text)


def test_canaries_differ_by_key_tenant_and_route() -> None:
    assert len({canary_for(key, *names) for key in (b"a", b"b") for names in (("t",), ("t", "r"), ("tr",))}) == 6


def test_a_canary_stands_in_the_system_text_alone() -> None:
    prompt = Prompt("m", (Message("system", (TextPart("Be kind."),)), Message("user", (TextPart("hi"),))))
    said = with_canary(prompt, CANARY)
    assert CANARY in str(said.messages[0])
    assert said.messages[1] == prompt.messages[1]
    bare = Prompt("m", prompt.messages[1:])
    assert with_canary(bare, CANARY) is bare


def test_without_canaries_nothing_is_found() -> None:
    assert not CanaryScanner([]).scan("anything")


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.text(max_size=20), st.text(max_size=20), st.integers(0, 150))
def test_what_is_settled_stays_so_whatever_follows(form: str, before: str, after: str, cut: int) -> None:
    text = f"{before} {FORMS[form](CANARY)} {after}"
    early = text[:cut]
    settled = SCANNER.settled(early)
    assert 0 <= settled <= len(early)
    assert [one for one in SCANNER.scan(early) if one.start < settled] == [
        one for one in SCANNER.scan(text) if one.start < settled
    ]


def test_of_other_text_a_few_characters_are_held_back() -> None:
    text = "This is what the model says so far, and it goes on as it was. " * 4
    assert max(place - SCANNER.settled(text[:place]) for place in range(len(text))) < 12
