"""Passages that say nearly the same are found, whoever wrote them first counting as the one."""

from mainstay.grounding.nearness import Nearness

LEAVE = (
    "Every employee who works full time is granted paid leave each year, and those who work less are granted a share "
    "of it in proportion to their hours, from the first day of the month in which their contract begins."
)


def test_a_passage_with_a_word_changed_is_near_and_another_is_not() -> None:
    seen = Nearness()
    assert seen.check("a", LEAVE) is None
    assert seen.check("b", LEAVE.replace("granted a share", "given a share")) == "a"
    assert (
        seen.check("c", "Whoever is ill calls in before nine, and brings a note from a doctor by the third day.")
        is None
    )


def test_the_same_words_with_other_numbers_are_not_near() -> None:
    seen = Nearness()
    assert seen.check("a", f"{LEAVE} In 2024 it was 25 days.") is None
    assert seen.check("b", f"{LEAVE} In 2025 it was 28 days.") is None
    assert seen.check("c", f"{LEAVE} In 2024 it was 25 days!") == "a"


def test_short_passages_are_near_only_where_they_are_the_same() -> None:
    seen = Nearness()
    assert seen.check("a", "Call Ann.") is None
    assert seen.check("b", "Call Bob.") is None
    assert seen.check("c", "call ann") == "a"
    assert seen.check("d", "***") is None


def test_what_is_near_another_stands_for_none_itself() -> None:
    seen = Nearness()
    seen.check("a", LEAVE)
    assert seen.check("b", LEAVE) == "a"
    seen.drop("a")
    assert seen.check("a", LEAVE) is None


def test_words_in_any_script_are_compared() -> None:
    seen = Nearness()
    text = " ".join(f"слово{letter} größe 休暇" for letter in "абвгдежз")
    assert seen.check("a", text) is None
    assert seen.check("b", text.upper()) == "a"
