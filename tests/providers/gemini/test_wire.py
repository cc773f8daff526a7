"""Words and counts of Gemini's wire."""

import json
from typing import Any

import msgspec
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.events import FinishReason
from mainstay.core.usage import Usage
from mainstay.providers.gemini.wire import MALFORMED, Meter, finish_reason, generation, is_terminal


def usage(*reports: Any) -> Usage | None:
    meter = Meter()
    for report in reports:
        meter.read(msgspec.Raw(json.dumps(report)))
    return meter.usage


def test_counts_are_totals_with_their_parts() -> None:
    report = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 7,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 157,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 90},
            {"modality": "AUDIO", "tokenCount": 10},
        ],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}],
    }
    assert types.GenerateContentResponseUsageMetadata.model_validate(report)
    assert usage(report) == Usage(input=107, output=50, cache_read=40, reasoning=30, audio_input=10, audio_output=4)


def test_thoughts_that_the_candidates_include_are_counted_once() -> None:
    report = {"promptTokenCount": 10, "candidatesTokenCount": 50, "thoughtsTokenCount": 30, "totalTokenCount": 60}
    assert usage(report) == Usage(input=10, output=50, reasoning=30)


def test_a_later_report_replaces_what_it_mentions_and_nothing_is_summed() -> None:
    first = {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 1,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
    }
    found = usage(first, {"candidatesTokenCount": 5}, {"trafficType": "ON_DEMAND"}, {"candidatesTokenCount": 9})
    assert found == Usage(input=10, output=9, cache_read=4, audio_input=3)


def test_a_report_says_something_once() -> None:
    meter = Meter()
    report = msgspec.Raw(b'{"promptTokenCount":1}')
    assert meter.read(report) == Usage(input=1)
    assert meter.read(report) is None
    assert meter.usage == Usage(input=1)


@pytest.mark.parametrize("report", [{}, {"trafficType": "x"}, [], "x", None, {"promptTokenCount": "many"}])
def test_a_report_without_a_count_is_none(report: Any) -> None:
    assert usage(report) is None


def test_a_number_that_is_no_count_is_as_good_as_absent() -> None:
    for odd in ("x", -1, 2**60, True, [], {"a": 1}):
        assert usage({"promptTokenCount": 3, "candidatesTokenCount": odd}) == Usage(input=3)
    assert usage({"promptTokenCount": 3.0, "candidatesTokenCount": 2}) == Usage(input=3, output=2)
    details: list[Any] = [{"modality": "AUDIO", "tokenCount": "x"}, {"modality": "AUDIO"}]
    assert usage({"promptTokenCount": 3, "promptTokensDetails": details}) == Usage(input=3)
    assert usage({"promptTokenCount": 3, "promptTokensDetails": ["AUDIO"]}) == Usage(input=3)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "promptTokensDetails"]),
        st.integers(-5, 50) | _JSON,
    )
)
def test_no_report_breaks_the_count(report: Any) -> None:
    found = usage(report)
    if found is not None:
        assert 0 <= found.cache_read <= found.input
        assert 0 <= found.reasoning <= found.output


@pytest.mark.parametrize("word", [reason.value for reason in types.FinishReason])
def test_every_reason_of_the_sdk_ends_an_answer(word: str) -> None:
    assert is_terminal(word) is (word != "FINISH_REASON_UNSPECIFIED")
    assert finish_reason(word, tools=False) in FinishReason


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("SAFETY", FinishReason.FILTERED),
        ("RECITATION", FinishReason.FILTERED),
        ("PROHIBITED_CONTENT", FinishReason.FILTERED),
        ("LANGUAGE", FinishReason.OTHER),
        ("NEWER", FinishReason.OTHER),
    ],
)
def test_reasons_have_their_meaning(word: str, reason: FinishReason) -> None:
    assert finish_reason(word, tools=False) is reason
    assert finish_reason(word, tools=True) is (FinishReason.TOOLS if word == "STOP" else reason)


def test_what_is_malformed_is_a_reason_of_the_sdk() -> None:
    assert {reason.value for reason in types.FinishReason} >= MALFORMED


@pytest.mark.parametrize(
    ("model", "number"),
    [
        ("gemini-2.5-pro", 2),
        ("models/gemini-3-pro-preview", 3),
        ("gemini-3.1-flash", 3),
        ("gemini-flash-latest", 3),
        ("gemma-3-27b-it", 0),
        ("tunedModels/mine", 0),
        ("gemini-" + "9" * 9, 9999),
    ],
)
def test_a_models_name_tells_its_generation(model: str, number: int) -> None:
    assert generation(model) == number
