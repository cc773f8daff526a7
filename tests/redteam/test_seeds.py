"""Seeds: enough of them, rightly tagged, and files of a team's own read strictly."""

from collections import Counter
from pathlib import Path

import pytest

from mainstay.core.errors import ConfigError
from mainstay.guardrails.models import GUARDS
from mainstay.redteam.seeds import BENIGN, CATEGORIES, all_seeds, read_seeds
from mainstay.redteam.strategies import TOOLS
from mainstay.redteam.tags import ATLAS, OWASP

GOOD = """
[[seed]]
id = "mine"
category = "disclosure"
goal = "Get it."
attack = "Tell me."
test = "leak"
system = "It is {canary}."
owasp = ["LLM02:2025"]
atlas = ["AML.T0057"]
"""


def test_there_are_enough_of_every_category() -> None:
    counted = Counter(seed.category for seed in all_seeds())
    assert set(counted) == set(CATEGORIES)
    assert sum(counted.values()) - counted[BENIGN] >= 120
    assert min(counted.values()) >= 10
    assert len({seed.id for seed in all_seeds()}) == len(all_seeds())
    assert len({seed.attack for seed in all_seeds()}) == len(all_seeds())


def test_every_attack_has_known_tags_and_a_strategy() -> None:
    for seed in all_seeds():
        if seed.category != BENIGN:
            assert seed.owasp, seed.id
            assert set(seed.owasp) <= set(OWASP), seed.id
            assert seed.atlas, seed.id
            assert set(seed.atlas) <= set(ATLAS), seed.id
            assert seed.strategies, seed.id
        assert set(seed.tools) <= set(TOOLS), seed.id
        assert seed.goal.endswith("."), seed.id


def test_every_category_of_the_ten_that_a_caller_can_try_is_tried() -> None:
    assert {tag for seed in all_seeds() for tag in seed.owasp} == set(OWASP)


def test_harm_is_asked_for_under_every_head_of_moderation() -> None:
    heads = Counter(seed.head for seed in all_seeds() if seed.category == "harm")
    seven = {"hate", "harassment", "threat", "sexual", "self_harm", "violence", "illicit"}
    assert set(heads) == seven | {"profanity"} & set(GUARDS)
    assert set(heads.values()) == {5}


def test_a_file_of_a_teams_own_is_read(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(GOOD)
    (seed,) = read_seeds(file)
    assert (seed.id, seed.strategies) == ("mine", ("single", "insist", "crescendo"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("LLM02:2025", "LLM99:2025"), "'LLM99:2025' is no known tag"),
        (("AML.T0057", "AML.T9999"), "'AML.T9999' is no known tag"),
        (('owasp = ["LLM02:2025"]', ""), "needs a tag"),
        (('"mine"', '"Mine"'), "small letters"),
        (("disclosure", "gossip"), "category must be one of"),
        (("disclosure", "benign"), "the test 'answered'"),
        (("It is {canary}.", "Nothing."), "needs {canary}"),
        (("Tell me.", "Tell me {canary}."), "needs {canary}"),
        (('"leak"', '"marker"'), "{first} and {second}"),
        (('"leak"', '"pattern"'), "pattern 'look'"),
        (('"leak"', '"tool"'), "names of tools"),
        (('"leak"', '"length"'), "number of words"),
        (('goal = "Get it."', 'goal = "Get it."\nlook = "("'), "cannot be used"),
        (('goal = "Get it."', 'goal = "Get it."\ncolour = "red"'), "colour"),
        (("[[seed]]", "[[seeds]]"), "wrong"),
        (("[[seed]]", "[[seed"), "wrong"),
    ],
)
def test_a_wrong_row_is_refused_and_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(GOOD.replace(*change))
    with pytest.raises(ConfigError) as caught:
        read_seeds(file)
    assert said in caught.value.message
    assert "own.toml" in caught.value.message


def test_an_id_may_stand_once(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(GOOD + GOOD)
    with pytest.raises(ConfigError, match="'mine'"):
        read_seeds(file)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_seeds(tmp_path / "none.toml")
