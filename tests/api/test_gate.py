"""What a name means to whom."""

from typing import Any

import pytest

from mainstay.api.gate import Gate, Served
from mainstay.core.call import Caller
from mainstay.core.errors import Forbidden, ModelNotFound
from mainstay.core.timeouts import Timeouts

NOWHERE: Any = None
ANYONE = Caller("anyone")
NARROW = Caller("narrow", routes=frozenset({"assistant", "not-there"}))
NAMES = ("gpt-4o-mini", "assistant", "house", "modèle")


def gate(*names: str) -> Gate:
    served = {name: Served(name, NOWHERE, Timeouts(), False, "vendor") for name in names}
    return Gate(served, NOWHERE, "hash", 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_found_as_it_is_written(name: str) -> None:
    assert gate(*NAMES).find(name, ANYONE).name == name


@pytest.mark.parametrize(
    "name", ["Assistant", "assistant ", "gpt-4o", "", "assistant\n", "mode\u0300le", "\0", "x" * 100_000]
)
def test_a_name_that_is_not_there_is_told_with_its_field(name: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        gate(*NAMES).find(name, ANYONE)
    assert caught.value.param == "model"
    assert len(caught.value.message) < 400


def test_near_names_are_offered() -> None:
    with pytest.raises(ModelNotFound, match="did you mean 'gpt-4o-mini'"):
        gate(*NAMES).find("gpt-4o-mni", ANYONE)
    with pytest.raises(ModelNotFound, match="GET /v1/models lists them"):
        gate(*NAMES).find("zzz", ANYONE)


def test_a_key_for_other_routes_may_not_call_and_learns_of_its_own_names_only() -> None:
    with pytest.raises(Forbidden) as caught:
        gate(*NAMES).find("house", NARROW)
    assert caught.value.param == "model"
    with pytest.raises(ModelNotFound) as missed:
        gate(*NAMES).find("gpt-4o-mni", NARROW)
    assert "gpt-4o-mini" not in missed.value.message
    assert gate(*NAMES).find("assistant", NARROW).name == "assistant"


def test_a_caller_sees_what_it_may_call_in_the_written_order() -> None:
    assert [served.name for served in gate(*NAMES).visible(ANYONE)] == list(NAMES)
    assert [served.name for served in gate(*NAMES).visible(NARROW)] == ["assistant"]
    assert gate(*NAMES).visible(Caller("none", routes=frozenset())) == []
