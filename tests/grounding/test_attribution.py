"""Which words of which source a claim rests on."""

from mainstay.grounding.attribution import Passages
from support.grounding import CATS, HOURS, REFUNDS, source


def test_a_claim_is_quoted_by_the_sentences_that_say_most_of_it() -> None:
    passages = Passages((REFUNDS, source("One. Two cats sat. On a red mat. Then they left the house for good.")))
    quote = passages.quote(1, "The card that was charged is paid.")
    assert REFUNDS.text[quote.start : quote.end] == "They are paid to the card that was charged."
    quote = passages.quote(2, "Two cats sat on a red mat.")
    assert passages.sources[1].text[quote.start : quote.end] == "Two cats sat. On a red mat."
    assert quote.share == 1.0


def test_a_quote_is_never_empty() -> None:
    odd = source("…")
    quote = Passages((odd,)).quote(1, "Whatever it says.")
    assert (quote.start, quote.end, quote.share) == (0, 1, 0.0)


def test_a_claim_is_attributed_to_the_source_with_nearly_all_of_its_words_and_all_its_numbers() -> None:
    passages = Passages((HOURS, REFUNDS, CATS))
    assert passages.attribute("A refund takes 14 days.") == 2
    assert passages.attribute("A refund takes 15 days.") == 0
    assert passages.attribute("Dogs must wait outside the door.") == 3
    assert passages.attribute("Bananas are yellow and sweet.") == 0
    assert passages.attribute("So.") == 0


def test_the_nearest_sources_have_most_of_the_words() -> None:
    assert Passages((HOURS, REFUNDS, CATS)).nearest("When does the shop open for cats?", 2) == (1, 3)
