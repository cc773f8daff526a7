"""Token probabilities in the form that events carry."""

import json
from typing import Any

import msgspec
import pytest
from google.genai import types
from openai.types.chat.chat_completion import ChoiceLogprobs

from mainstay.providers.gemini.logprobs import read_logprobs


def read(value: Any) -> Any:
    found = read_logprobs(msgspec.Raw(json.dumps(value)))
    return None if found is None else json.loads(bytes(found))


def test_chosen_tokens_come_with_their_rivals() -> None:
    result = {
        "chosenCandidates": [{"token": "Hé", "tokenId": 1, "logProbability": -0.1}, {"token": "!"}],
        "topCandidates": [
            {"candidates": [{"token": "Hé", "logProbability": -0.1}, {"token": "Ho", "logProbability": -2.5}]}
        ],
    }
    assert types.LogprobsResult.model_validate(result)
    found = read(result)
    assert ChoiceLogprobs.model_validate(found, strict=True)
    assert found == {
        "content": [
            {
                "token": "Hé",
                "logprob": -0.1,
                "bytes": [72, 195, 169],
                "top_logprobs": [
                    {"token": "Hé", "logprob": -0.1, "bytes": [72, 195, 169]},
                    {"token": "Ho", "logprob": -2.5, "bytes": [72, 111]},
                ],
            },
            {"token": "!", "logprob": -9999.0, "bytes": [33], "top_logprobs": []},
        ],
        "refusal": None,
    }


@pytest.mark.parametrize("value", [{}, [], 1, {"chosenCandidates": []}, {"chosenCandidates": [{"token": 1}]}])
def test_what_cannot_be_read_says_nothing(value: Any) -> None:
    assert read(value) is None
