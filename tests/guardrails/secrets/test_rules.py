"""The rows: each finds its examples, alone and among all, and leaves what looks like them."""

import random
import string

import pytest

from mainstay.core.errors import ConfigError
from mainstay.guardrails.secrets.rules import KINDS, Rule, all_rules, compile_rule
from mainstay.guardrails.secrets.samples import fill
from mainstay.guardrails.secrets.scanner import SecretScanner

RULES = {rule.id: rule for rule in all_rules()}
ALL = SecretScanner()
SEEDS = range(5)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_its_examples_and_nothing_in_their_likes(name: str) -> None:
    rule = RULES[name]
    alone = SecretScanner([rule])
    for seed in SEEDS:
        chance = random.Random(f"{name} {seed}")
        for sample in rule.hits:
            text = fill(sample, chance)
            assert [found.kind for found in alone.scan(text)] == [rule.kind], text
            assert ALL.scan(text), text
        for sample in rule.misses:
            text = fill(sample, chance)
            assert not alone.scan(text), text
            assert not ALL.scan(text), text


@pytest.mark.parametrize("name", RULES)
def test_a_value_is_found_without_what_stands_around_it(name: str) -> None:
    text = fill(RULES[name].hits[0], random.Random(name))
    for found in SecretScanner([RULES[name]]).scan(text):
        value = text[found.start : found.end]
        assert value == value.strip(string.whitespace + "\"'`,;<>")
        assert not any(map(str.isspace, value))


def test_the_names_of_the_rows_and_their_anchors_are_sound() -> None:
    assert len(RULES) >= 100
    for rule in RULES.values():
        assert rule.kind in KINDS
        assert rule.hits
        assert rule.misses
        assert all(len(anchor) >= 2 for anchor in rule.anchors)
        compile_rule(rule)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"anchors": ()}, "needs 'anchors'"),
        ({"pattern": "", "value": ""}, "either 'pattern' or 'value'"),
        ({"pattern": "a", "value": "b"}, "either 'pattern' or 'value'"),
        ({"pattern": "("}, "has a pattern that is none"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(change: dict[str, object], words: str) -> None:
    row = {"id": "own", "about": "", "anchors": ("k-",), "pattern": "k-[0-9]{8}", "hits": (), "misses": ()}
    with pytest.raises(ConfigError, match=words):
        compile_rule(Rule(**(row | change)))


def test_a_row_of_ones_own_is_found_beside_the_others() -> None:
    own = Rule(id="own", about="", anchors=("acme-",), pattern="acme-[0-9]{8}", hits=(), misses=())
    found = SecretScanner([*RULES.values(), own]).scan("key acme-20394857 here")
    assert [(one.rule, one.start, one.end) for one in found] == [("own", 4, 17)]


def test_samples_leave_other_brackets_alone_and_repeat_by_seed() -> None:
    assert fill("<VAR> <b>", random.Random(1)) == "<VAR> <b>"
    assert fill("x<62*20>", random.Random(1)) == fill("x<62*20>", random.Random(1))
    assert len(fill("<pw*12>", random.Random(1))) == 12
