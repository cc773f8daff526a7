"""Moderations: the official OpenAI SDK against a running gateway."""

import json
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway
from support.upstream import Upstream, json_reply

FINE = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.1}, "more": [1.0]}


def verdicts(*results: Any) -> dict[str, Any]:
    return {"id": "modr-1", "model": "omni-moderation", "results": list(results)}


@pytest.mark.parametrize(
    ("given", "count"),
    [("x", 1), (["x", "y"], 2), ([{"type": "text", "text": "x"}, {"type": "text", "text": "y"}], 1)],
)
def test_verdicts_come_back_as_written(
    sdk: OpenAI, first: Upstream, task_gateway: Gateway, given: Any, count: int
) -> None:
    body = verdicts(*[FINE] * count)
    first.script(json_reply(body))
    raw = sdk.moderations.with_raw_response.create(model="assistant", input=given)
    assert json.loads(raw.content) == body
    assert first.requests[0].path == "/v1/moderations"
    assert first.requests[0].json() == {"model": "upstream-first", "input": given}
    assert task_gateway.journal()[-1].operation == "moderation"


def test_a_wrong_number_of_verdicts_is_no_answer(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply(verdicts(FINE)))
    with pytest.raises(openai.InternalServerError) as caught:
        sdk.moderations.create(model="assistant", input=["x", "y"])
    assert caught.value.code == "upstream_broken"


def test_without_a_model_the_official_default_is_meant(sdk: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="omni-moderation-latest"):
        sdk.moderations.create(input="x")


def test_the_echo_flags_nothing(sdk: OpenAI) -> None:
    answer = sdk.moderations.create(model="echo", input=["x", "y"])
    assert [result.flagged for result in answer.results] == [False, False]
    assert not any(vars(answer.results[0].categories).values())
