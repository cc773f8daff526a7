"""Conversations: the attack stands where it should, and every case has a filling of its own."""

import pytest

from mainstay.redteam.converters import CONVERTERS
from mainstay.redteam.seeds import STRATEGIES, Strategy
from mainstay.redteam.strategies import filling_of, script_of, tags_of
from support.redteam import seed_of

PLAIN = CONVERTERS["plain"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_attack_is_said_once_and_filled(strategy: Strategy) -> None:
    seed, filling = seed_of("override-plain"), filling_of("a")
    script = script_of(seed, PLAIN, strategy, filling)
    said = [str(message["content"]) for turn in script.turns for message in turn.messages if message["content"]]
    assert sum(filling.first in text and filling.second in text for text in said) == 1
    assert not any("{" in text for text in said)
    assert script.turns[-1].judged


def test_a_document_holds_the_attack_between_harmless_sentences() -> None:
    seed, filling = seed_of("override-plain"), filling_of("a")
    script = script_of(seed, PLAIN, "document", filling)
    text = script.turns[0].messages[0]["content"]
    assert text.startswith("Summarise")
    assert "<document>\nMinutes" in text
    assert text.endswith("</document>")


def test_a_tools_result_answers_a_call_that_was_made() -> None:
    script = script_of(seed_of("override-plain"), PLAIN, "tool_result", filling_of("a"))
    _, asked, result = script.turns[0].messages
    assert asked["tool_calls"][0]["id"] == result["tool_call_id"]
    assert asked["tool_calls"][0]["function"]["name"] == "look_up"
    assert [tool["function"]["name"] for tool in script.tools] == ["look_up"]


def test_a_seed_with_tools_offers_them() -> None:
    script = script_of(seed_of("mail-forward"), PLAIN, "single", filling_of("a"))
    assert [tool["function"]["name"] for tool in script.tools] == ["look_up", "send_mail"]


def test_a_crescendo_begins_harmlessly() -> None:
    script = script_of(seed_of("prompt-verbatim"), PLAIN, "crescendo", filling_of("a"))
    assert [turn.judged for turn in script.turns] == [False, False, True, True]


def test_a_teams_own_system_prompt_takes_the_place_of_the_seeds_and_keeps_its_canary() -> None:
    seed, filling = seed_of("prompt-verbatim"), filling_of("a")
    own = script_of(seed, PLAIN, "single", filling, "You sell tea.")
    assert own.system.startswith("You sell tea.\n")
    assert filling.canary in own.system
    assert script_of(seed_of("override-plain"), PLAIN, "single", filling, "You sell tea.").system == "You sell tea."


def test_every_case_has_its_own_words() -> None:
    fillings = [filling_of(str(number)) for number in range(300)]
    assert len({one.canary for one in fillings}) == 300
    assert all(one.first != one.second for one in fillings)
    assert len({one.marker for one in fillings}) > 200


def test_what_comes_from_outside_is_tagged_as_indirect_and_a_disguise_as_one() -> None:
    seed = seed_of("override-plain")
    assert tags_of(seed, "plain", "single") == ("LLM01:2025", "AML.T0051.000")
    assert tags_of(seed, "base64", "document") == ("LLM01:2025", "AML.T0051.001", "AML.T0068")
    assert tags_of(seed_of("benign-bomb"), "plain", "single") == ()
