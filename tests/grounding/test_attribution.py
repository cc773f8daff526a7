"""Which words of which source a claim rests on."""

import pytest

from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checked, bearing
from mainstay.grounding.sentences import sentences
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


UNRELATED = [
    "Bananas are yellow and sweet.", "The moon circles the earth in 27 days.", "You can do it by calling the office.",
    "This will remove the key from the list of revoked keys.", "The response is kept until the end of a response.",
    "Cats and dogs are both popular animals that people keep at home.", "The shop sells red shoes for nine dollars.",
    "Your card was stolen on a Sunday at six.", "Charged particles take a curved path.", "It is closed, I believe.",
]  # fmt: skip


@pytest.mark.parametrize("claim", UNRELATED)
def test_a_claim_about_something_else_is_attributed_to_nothing(claim: str) -> None:
    keys = source("Keys that callers present: create, list, revoke, rotate. A class is kept until something ends it.")
    assert Passages((HOURS, REFUNDS, CATS, keys)).attribute(claim) == 0


def test_sentences_of_other_documents_are_attributed_to_nothing() -> None:
    documents = [
        "Revoke a key for good with one command. A key that is revoked answers 401 from then on, in every process.",
        "A budget is spent in blocks. What is left of a block goes back when a worker stops or a window ends.",
        "Records are kept for thirty days. Their words are sealed, and a person can have them erased by then.",
        "A breaker opens after five failures in a row. It lets one call through after a minute, as a probe.",
    ]
    for number, text in enumerate(documents):
        others = Passages([source(other) for place, other in enumerate(documents) if place != number])
        own = Passages([source(other) for other in documents])
        for one in sentences(text):
            claim = text[one.start : one.end]
            assert others.attribute(claim) == 0
            assert own.attribute(claim) == number + 1


def test_a_claim_that_two_sources_share_alike_is_attributed_only_where_one_says_it_as_it_stands() -> None:
    one = source("Refunds take 14 days in spring, and they are paid to the card that was charged.")
    other = source("In spring the card is charged, and days take refunds 14.")
    assert Passages((one, other)).attribute("Refunds take 14 days in spring.") == 1
    assert Passages((one, other)).attribute("Days charged in spring take the card.") == 0


def test_what_a_check_bears_out_is_cited_where_its_words_are_likely() -> None:
    passages = Passages((HOURS, REFUNDS, CATS))
    claim = "Refunds are booked to the charged card in 14 days."
    assert passages.attribute(claim) == 0
    assert passages.likely(claim) == (2,)
    assert bearing(claim, Checked("supported", 0.99, {1: ("supported", 0.995), 2: ("supported", 0.99)}), passages) == (
        2,
    )
    assert bearing(claim, Checked("not_found", 0.1, {2: ("not_found", 0.1)}), passages) == ()
    assert bearing(claim, Checked("supported", 0.7, {2: ("supported", 0.7)}), passages) == ()
    assert bearing("The moon is far.", Checked("supported", 0.99, {2: ("supported", 0.99)}), passages) == ()
