"""``routes:`` in the configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.core.timeouts import Timeouts
from mainstay.routing.config import OverloadConfig, RouteConfig, TimeoutsConfig


def test_a_target_is_a_mapping_or_a_bare_name() -> None:
    route = RouteConfig.model_validate({"targets": ["a", {"model": "b", "weight": 2.5}]})
    assert [(target.model, target.weight) for target in route.targets] == [("a", 1.0), ("b", 2.5)]
    assert (route.choose, route.attempts, route.interrupted, route.content) == ("first", 4, "error", "none")


def test_a_last_resort_is_a_text_or_a_mapping() -> None:
    text = RouteConfig.model_validate({"targets": ["a"], "last_resort": "Sorry."}).last_resort
    assert text is not None
    assert (text.text, text.model, text.earlier) == ("Sorry.", None, False)
    model = RouteConfig.model_validate({"targets": ["a"], "last_resort": {"model": "small"}}).last_resort
    assert model is not None
    assert model.model == "small"


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
        {"choose": "best"},
        {"attempts": 0},
        {"attempts": 17},
        {"interrupted": "pause"},
        {"hedge": 0},
        {"hedge": 0.9},
        {"stream_upstream": "yes"},
        {"last_resort": {"model": "two words"}},
        {"last_resort": {"words": "x"}},
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


def test_overload_has_defaults_and_reads_shares_and_classes() -> None:
    assert OverloadConfig().model_dump() == {"queue": 1024, "wait": 10.0, "shares": {}, "classes": {}}
    written = OverloadConfig.model_validate(
        {"queue": 0, "wait": "2s", "shares": {"web": 3}, "classes": {"web": "critical", "night": "sheddable"}}
    )
    assert (written.queue, written.wait, written.shares["web"], written.classes["night"]) == (0, 2.0, 3.0, "sheddable")


@pytest.mark.parametrize(
    "fields",
    [
        {"queue": -1},
        {"wait": 2},
        {"shares": {"web": 0}},
        {"shares": {"web": "inf"}},
        {"shares": {"two words": 1}},
        {"classes": {"web": "urgent"}},
    ],
)
def test_what_no_waiting_room_can_do_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OverloadConfig.model_validate(fields)
