"""What language a request is in, as the two detectors together tell it."""

import string
from types import SimpleNamespace

import pytest
from bench.sentences import MIXED, NOTHING, SENTENCES
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import StartError
from mainstay.core.prompt import DocumentPart, ImagePart, Message, Prompt, TextPart, ToolResultPart
from mainstay.guardrails import language
from mainstay.guardrails.cld2 import Cld2
from mainstay.guardrails.fasttext import FastText
from mainstay.guardrails.iso639 import LANGUAGES
from mainstay.guardrails.language import LanguageDetector, find_language, is_installed, open_detector, prose
from mainstay.guardrails.null import NullDetector
from mainstay.guardrails.port import UNKNOWN, Detector, Guess

pytest.importorskip("pycld2", reason="the extra 'languages' is not installed")
pytest.importorskip("fasttext_pybind", reason="the extra 'languages' is not installed")

DETECTORS: list[Detector] = [open_detector(), Cld2(), FastText(), NullDetector()]
BOTH = DETECTORS[0]
#: Pairs that a few words do not tell apart, by what the sentence is: what it may be taken for.
TWINS = {"az": "tr", "id": "ms", "ms": "id", "ne": "hi", "sk": "cs", "gl": "pt", "no": "da", "da": "no", "uz": "tr"}


def said(*messages: tuple[str, str]) -> Prompt:
    return Prompt("m", tuple(Message(role, (TextPart(text),)) for role, text in messages))  # type: ignore[arg-type]  # roles, as they are


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
@given(text=st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_every_detector_takes_any_text_and_names_a_language_of_iso_639_or_none(detector: Detector, text: str) -> None:
    for given_text in (text, text + "\ud800\0"):
        guess = detector.detect(given_text)
        assert guess.language in LANGUAGES or guess == Guess(UNKNOWN, sure=False)
    assert detector.detect(text) == detector.detect(text)


def test_there_are_more_than_fifty_languages_and_all_long_sentences_are_told_right() -> None:
    assert len(SENTENCES) > 70
    assert {code: BOTH.detect(long).language for code, (_, long) in SENTENCES.items()} == {
        code: code for code in SENTENCES
    }


def test_of_a_few_words_nearly_all_are_told_right_and_the_rest_are_twins_or_unknown() -> None:
    found = {code: BOTH.detect(short).language for code, (short, _) in SENTENCES.items()}
    wrong = {code: language for code, language in found.items() if language != code}
    assert len(wrong) <= 6
    assert all(language in (UNKNOWN, TWINS.get(code)) for code, language in wrong.items())


@pytest.mark.parametrize("text", MIXED)
def test_two_languages_in_about_equal_parts_are_unknown(text: str) -> None:
    assert BOTH.detect(text).language == UNKNOWN


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_language_or_too_little_of_one_is_unknown(text: str) -> None:
    assert BOTH.detect(text).language == UNKNOWN


def test_a_word_of_another_language_or_code_beside_the_text_changes_nothing() -> None:
    german = SENTENCES["de"][1]
    for text in (
        f"{german} Please.",
        f"{german}\n```python\nfor item in things:\n    print(item)\n```",
        f"{german}\nhttps://example.com/where-is-the-station-of-this-town?and=how&much=does+it+cost",
        f'{german}\nconst answer = ask("Where is the nearest station in this town?");',
        f"SELECT name, price FROM tickets WHERE station = 1;\n{german}",
        german.upper(),
    ):
        assert BOTH.detect(text).language == "de", text


def test_the_users_last_message_counts_and_one_too_short_leaves_it_to_the_one_before() -> None:
    french, english = SENTENCES["fr"][1], SENTENCES["en"][1]
    assert (
        find_language(said(("system", english), ("user", english), ("assistant", english), ("user", french)), BOTH)
        == "fr"
    )
    assert find_language(said(("user", french), ("assistant", english), ("user", "ok")), BOTH) == "fr"
    assert find_language(said(("system", english), ("assistant", english)), BOTH) == UNKNOWN
    assert find_language(said(*[("user", french)], *[("user", "ok")] * 3), BOTH) == UNKNOWN


def test_a_last_message_of_two_languages_is_not_decided_by_the_one_before() -> None:
    assert find_language(said(("user", SENTENCES["fr"][1]), ("user", MIXED[0])), BOTH) == UNKNOWN


def test_only_what_the_user_typed_counts() -> None:
    english = SENTENCES["en"][1]
    parts = (
        ImagePart(url="https://example.com/a.png"),
        DocumentPart(data=english, media_type="text/plain"),
        ToolResultPart("1", (TextPart(english),)),
        TextPart(SENTENCES["ja"][0]),
    )
    assert find_language(Prompt("m", (Message("user", parts),)), BOTH) == "ja"
    assert find_language(Prompt("m", (Message("user", parts[:3]),)), BOTH) == UNKNOWN


def test_of_a_long_message_the_beginning_and_the_end_are_read() -> None:
    text = prose("Anfang. " + "x" * 100_000 + " Ende.")
    assert text.startswith("Anfang.")
    assert len(text) <= 480


@given(st.text(alphabet=string.printable + "ÄßéЖ字ら。؟", max_size=3000))
@settings(deadline=None)
def test_prose_is_bounded_and_has_letters_or_is_empty(text: str) -> None:
    found = prose(text)
    assert len(found) <= 480
    assert not found or any(letter.isalpha() for letter in found)


def test_cost_grows_with_what_is_read_and_not_with_what_was_sent() -> None:
    pieces: list[str] = []

    class Counting:
        def detect(self, text: str) -> Guess:
            pieces.append(text)
            return Guess("en", sure=True)

    LanguageDetector([Counting()]).detect("A sentence of some words stands here. " * 4000)
    assert sum(map(len, pieces)) <= 490
    assert 1 < len(pieces) <= 5


def test_a_second_detector_is_asked_only_where_the_first_is_not_sure() -> None:
    first = SimpleNamespace(detect=lambda text: Guess("en", sure=True) if "sure" in text else Guess())
    asked: list[str] = []

    class Second:
        def detect(self, text: str) -> Guess:
            asked.append(text)
            return Guess("fr")

    detector = LanguageDetector([first, Second()])
    assert detector.detect("I am sure") == Guess("en", sure=True)
    assert asked == []
    assert detector.detect("I am not") == Guess("fr")


def test_where_nothing_is_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Detector:
        raise ImportError("no such package")

    monkeypatch.setattr(language, "Cld2", missing)
    assert open_detector().detect(SENTENCES["de"][1]).language == "de"
    monkeypatch.setattr(language, "FastText", missing)
    with pytest.raises(StartError, match=r"mainstay\[languages\]"):
        open_detector()
    assert is_installed()
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    assert not is_installed()


def test_the_model_alone_names_languages_as_iso_639_does(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = FastText()
    assert alone.detect("Где находится ближайшая аптека?").language == "ru"
    assert "sh" not in LANGUAGES
    monkeypatch.setattr("mainstay.guardrails.fasttext.find_spec", lambda name: None)
    with pytest.raises(ImportError):
        FastText()
