"""What is put right in an upstream's bytes is put right there only: what the answer means is what the upstream said."""

import json

import pytest

from mainstay.core.events import Finished, FinishReason
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.openai.repair import rename_ends, sayable
from support.gateway import completion
from support.openai_chunks import chunk, events_of, finish, frames_of


@pytest.mark.parametrize(
    ("word", "called", "legacy", "said"),
    [
        ("stop", False, False, "stop"),
        ("stop", True, False, "tool_calls"),
        ("stop", True, True, "function_call"),
        ("eos", True, False, "tool_calls"),
        ("eos", True, True, "function_call"),
        ("length", True, False, "length"),
        ("tool_calls", False, False, "tool_calls"),
        ("function_call", True, True, "function_call"),
        ("", False, False, "stop"),
        ("", True, False, "tool_calls"),
        ("model_length", False, False, "length"),
        ("sensitive", False, False, "sensitive"),
    ],
)
def test_every_end_has_a_word_that_callers_know(word: str, called: bool, legacy: bool, said: str) -> None:
    assert sayable(word, called=called, legacy=legacy) == said


def test_why_an_answer_ended_is_still_read_from_the_upstreams_own_word() -> None:
    body = completion("Hi")
    body["choices"][0]["finish_reason"] = "model_length"
    whole = OpenAICodec().whole(json.dumps(body).encode())
    assert json.loads(whole.wire)["choices"][0]["finish_reason"] == "length"
    end = Finished(FinishReason.CONTEXT, 0, "model_length")
    assert (whole.finish, [e for e in whole.events if isinstance(e, Finished)]) == ((FinishReason.CONTEXT,), [end])
    frames = frames_of([chunk({"role": "assistant", "content": "Hi"}), finish("model_length")])
    assert end in frames[-1].events
    assert json.loads(frames[-1].wire)["choices"][0]["finish_reason"] == "length"


def test_only_the_named_choices_change_and_only_in_their_end() -> None:
    data = b'{"x":1.0,"choices":[{"finish_reason":"a","y":1e2},{"finish_reason":"b"}],"z":null}'
    assert rename_ends(data, {0: None}) == data.replace(b'"a"', b"null")


def test_an_end_that_is_none_or_is_said_twice_is_null() -> None:
    frames = frames_of([chunk({"content": "Hi"}, finish=""), finish(), finish()])
    assert [json.loads(f.wire)["choices"][0]["finish_reason"] for f in frames] == [None, "stop", None]
    ends = [e for e in events_of([chunk({"content": "Hi"}, finish=""), finish(), finish()]) if isinstance(e, Finished)]
    assert len(ends) == 1
