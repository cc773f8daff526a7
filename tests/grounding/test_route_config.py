"""``routes.X.knowledge``: shorthands, and what becomes of them."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.config.schema import Config
from mainstay.grounding.policies import Rule, is_weak, rule_of, verdict_of
from mainstay.grounding.port import Support


def rule(knowledge: Any) -> Rule:
    document = {
        "providers": {"p": {"kind": "echo"}},
        "models": {"m": {"provider": "p"}},
        "routes": {"r": {"targets": ["m"], "knowledge": knowledge}},
    }
    config = Config.model_validate(document).routes["r"].knowledge
    assert config is not None
    return rule_of(config)


def test_a_name_is_enough() -> None:
    found = rule("handbook")
    assert (found.base, found.cite, found.keep, found.nothing, found.unsupported) == (
        "handbook",
        True,
        True,
        "answer",
        None,
    )
    assert found.without == {"injection"}
    assert found.within == 0.3


def test_what_to_do_may_be_just_a_word() -> None:
    found = rule({"base": "b", "nothing": "say", "verify": "strip", "marks": "remove", "suspicious": "use"})
    assert (found.nothing, found.unsupported, found.holds, found.keep) == ("say", "strip", True, False)
    assert found.without == frozenset()
    assert found.text
    assert rule({"base": "b", "verify": True}).unsupported == "mark"


def test_times_and_limits_are_taken_over() -> None:
    found = rule(
        {
            "base": "b",
            "version": "v2",
            "within": "50ms",
            "stale_after": "30d",
            "nothing": {"do": "refuse", "least": 0.2},
            "verify": {"supported": 0.7, "only": ["contradicted"], "within": "1s"},
            "abstain": {"confidence": 0.4, "text": "No."},
        }
    )
    assert (found.version, found.within, found.stale_after, found.least) == ("v2", 0.05, 30 * 86_400, 0.2)
    assert (found.supported, found.faults, found.patience) == (0.7, {"contradicted"}, 1.0)
    assert (found.unsure, found.abstention) == (0.4, "No.")


def test_abstaining_needs_checking() -> None:
    with pytest.raises(ValidationError, match="verify"):
        rule({"base": "b", "abstain": {}})


def test_any_text_may_support_a_claim_and_contradiction_counts_where_none_does() -> None:
    found = Rule("b", unsupported="mark")
    no, yes, against = Support(0.1, 0.1, 0.8), Support(0.8, 0.1, 0.1), Support(0.1, 0.8, 0.1)
    assert verdict_of((no, yes, against), found) == ("supported", 0.8)
    assert verdict_of((no, against), found) == ("contradicted", 0.1)
    assert verdict_of((no,), found) == ("not_found", 0.1)
    assert verdict_of((), found) == ("unchecked", None)


def test_an_answer_is_weak_where_the_search_was_and_too_few_claims_are_supported() -> None:
    found = Rule("b", unsupported="mark", unsure=0.3, support=0.5)
    assert is_weak(0.2, {"supported": 1, "not_found": 2}, found)
    assert not is_weak(0.2, {"supported": 2, "not_found": 2}, found)
    assert not is_weak(0.3, {"not_found": 2}, found)
    assert is_weak(0.2, {"uncheckable": 1}, found)
