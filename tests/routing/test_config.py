"""``routes:`` in the configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.core.timeouts import Timeouts
from mainstay.routing.config import RouteConfig, TimeoutsConfig


def test_a_target_is_a_mapping_or_a_bare_name() -> None:
    route = RouteConfig.model_validate({"targets": ["a", {"model": "b", "weight": 2.5}]})
    assert [(target.model, target.weight) for target in route.targets] == [("a", 1.0), ("b", 2.5)]
    assert (route.choose, route.attempts, route.interrupted, route.content) == ("first", 4, "error", "none")


def test_limits_are_those_the_transport_knows() -> None:
    assert TimeoutsConfig().limits() == Timeouts()
    written = TimeoutsConfig.model_validate(
        {"connect": "1s", "headers": "2s", "first_token": "3s", "idle": "4s", "total": "5s"}
    )
    assert written.limits() == Timeouts(connect=1.0, headers=2.0, first_token=3.0, idle=4.0, total=5.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"targets": []},
        {"targets": None},
        {"targets": [{"model": "a", "weight": 0}]},
        {"targets": [{"model": "a", "weight": "inf"}]},
        {"targets": [{"model": "a", "weight": "nan"}]},
        {"targets": ["two words"]},
        {"choose": "fastest"},
        {"attempts": 0},
        {"attempts": 17},
        {"interrupted": "hold"},
        {"last_resort": ""},
        {"content": "some"},
        {"timeouts": {"total": "0s"}},
        {"timeouts": {"total": 60}},
        {"fallback": ["two words"]},
    ],
)
def test_what_no_route_can_do_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RouteConfig.model_validate({"targets": ["a"], **fields})
