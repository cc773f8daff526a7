"""Tests of questions as words."""

import sqlite3
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.grounding.terms import TOKENIZER, coverage, indexable, names, root, terms, tokens

#: Letters with and without marks, digits and signs, of blocks that every table of Unicode has had for long.
_SIGNS = (
    string.printable.replace("\x00", "")
    + "äöüßéèñçåøŁğşİıΑΒΓαβγДЖяйёאבגابة٣हिन्दीकी०ไทยกำที่中文東京日本語ひらカタ한국어서울—…“”«»№½²"
)
_TEXTS = st.text(st.sampled_from(_SIGNS), max_size=60)


def _index(*texts: str, tokenizer: str = TOKENIZER) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.execute(f'CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "{tokenizer}")')
    db.executemany("INSERT INTO words VALUES (?)", [(indexable(text),) for text in texts])
    return db


def _found(db: sqlite3.Connection, question: str) -> list[int]:
    asked = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms(question))
    return [row for (row,) in db.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank", (asked,))]


def _words(text: str) -> list[str]:
    """Return the words that FTS5 makes of a text, without stems."""
    db = _index(text, tokenizer=TOKENIZER.removeprefix("porter "))
    db.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, instance)")
    found = [word for (word,) in db.execute("SELECT term FROM vocabulary ORDER BY offset")]
    db.close()
    return found


@given(_TEXTS)
def test_a_text_has_as_many_words_as_in_the_index(text: str) -> None:
    """Signs such as fractions count as numbers on both sides."""
    assert len(tokens(text)) == len(_words(text))


@given(_TEXTS)
def test_every_word_of_a_text_finds_it(text: str) -> None:
    """Whatever a question is cut into, the index has it."""
    db = _index("unrelated zebra", text)
    for word in tokens(text):
        asked = '"' + word + '"'
        assert 2 in [row for (row,) in db.execute("SELECT rowid FROM words WHERE words MATCH ?", (asked,))]
    db.close()


@given(_TEXTS)
def test_a_question_is_always_a_question_an_index_can_be_asked(text: str) -> None:
    """Terms have words, once each, and not too many."""
    found = terms(text)
    assert len(found) == len(set(found)) <= 40
    assert bool(found) == bool(tokens(text)) or all(len(word) > 60 for word in tokens(text))
    assert all(tokens(term) for term in found)


def test_words_that_say_nothing_are_left_out() -> None:
    """Of a question in English the content is left."""
    assert terms("What is the capital of France?") == ("capital", "france")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Wie hoch ist die Kaution für eine Wohnung?", ("hoch", "kaution", "wohnung")),
        ("Quelle est la durée du préavis ?", ("durée", "préavis")),
        ("¿Cuál es el plazo para la devolución?", ("plazo", "devolución")),
        ("Какой срок возврата?", ("срок", "возврата")),
    ],
)
def test_stop_words_are_those_of_the_questions_language(question: str, expected: tuple[str, ...]) -> None:
    """The language shows in them."""
    assert terms(question) == expected


def test_words_of_another_language_that_mean_something_in_english_stay() -> None:
    """ "war" is a stop word in German only."""
    assert "war" in terms("who won the war")


def test_a_question_of_stop_words_alone_is_asked_as_it_is() -> None:
    """Else nothing could be found."""
    assert terms("Who are The Who?") == ("who", "are", "the")


def test_numbers_and_identifiers_are_asked_for_in_parts_and_whole() -> None:
    """A whole is more telling than its parts."""
    assert terms("error ERR-4012 in v2.3.1") == ("error", "err", "4012", "v2", "3", "1", "err-4012", "v2.3.1")


def test_an_identifier_finds_its_own_passage_first() -> None:
    """Others have the same numbers in another order."""
    db = _index("release 3.2.1 is out", "release 1.2.3 is out", "release 2.3.1 is out")
    assert _found(db, "1.2.3")[0] == 2
    db.close()


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("東京都は日本の首都です。", "日本の首都はどこですか"),
        ("北京是中国的首都。", "中国首都是哪里？"),
        ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมืองหลวงของไทย"),
        ("서울은 대한민국의 수도이다.", "대한민국 수도는?"),
        ("दिल्ली भारत की राजधानी है", "भारत की राजधानी"),
        ("القاهرة عاصمة مصر", "ما هي عاصمة مصر"),
    ],
)
def test_scripts_without_blanks_are_found_by_a_part_of_a_sentence(text: str, question: str) -> None:
    """Pairs of signs stand for words."""
    db = _index("The weather is fine.", text, "天気がいい。今日很好。อากาศดี 날씨가 좋다 मौसम अच्छा الطقس جميل")
    assert _found(db, question)[0] == 2
    db.close()


def test_a_text_in_latin_letters_is_indexed_as_it_is() -> None:
    """Only runs without blanks are cut."""
    assert indexable("Crème brûlée, 3.5 €") == "Crème brûlée, 3.5 €"


def test_of_a_long_text_numbers_and_long_words_are_kept() -> None:
    """A pasted page does not make a search of hundreds of words."""
    text = " ".join(f"w{chr(97 + at % 26)}{chr(97 + at // 26)}" for at in range(200)) + " extraordinary 4711"
    found = terms(text)
    assert len(found) == 40
    assert found[-2:] == ("extraordinary", "4711")


def test_words_carried_over_are_looked_for_too() -> None:
    """They follow the question's own."""
    assert terms("When was it founded?", ["acme", "founded"]) == ("founded", "acme")


def test_names_are_what_has_capitals_or_digits_within_a_sentence() -> None:
    """The first word of a sentence has a capital in any case."""
    text = "Where does Marie Curie live? She used an iPhone 12 and read foo_bar."
    assert names(text) == ["Marie", "Curie", "iPhone", "12", "foo_bar"]


def test_coverage_is_the_share_of_words_in_whatever_form() -> None:
    """Endings do not count."""
    assert coverage(["cats", "chased", "mouse"], ["A cat chases.", "Dogs."]) == pytest.approx(2 / 3)
    assert coverage([], ["text"]) == 0.0


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12))
def test_a_root_is_the_beginning_of_its_word(word: str) -> None:
    """Never less than three signs of it."""
    assert word.startswith(root(word))
    assert len(root(word)) >= min(3, len(word))
