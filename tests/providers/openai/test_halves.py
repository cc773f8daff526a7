"""A character cut in two is one character for the caller, in words and in the arguments of calls."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.fold import fold
from mainstay.core.sse import SseEvent
from mainstay.providers.openai import OpenAIStreamReader, write_whole
from mainstay.providers.openai.halves import Halves
from support.openai_chunks import chunk, events_of, finish, tool

TEXTS = st.text(st.sampled_from('a"\\{😀é\U0010ffff\u2028\n'), min_size=1, max_size=8)


def cut(text: str, places: list[int]) -> list[str]:
    """Cut as a server does that counts in UTF-16: any piece may begin or end with half a character."""
    units = text.encode("utf-16-le")
    marks = sorted({0, len(units), *(2 * (place % (len(units) // 2)) for place in places)})
    return [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(marks)]


@given(first=TEXTS, second=TEXTS, arguments=TEXTS, places=st.lists(st.integers(0, 30), max_size=6))
def test_texts_cut_within_characters_are_the_same_answer(
    first: str, second: str, arguments: str, places: list[int]
) -> None:
    called = json.dumps({"a": arguments}, ensure_ascii=False)
    data = [chunk({"role": "assistant", "reasoning_content": piece}) for piece in cut(second, places)]
    # Two texts at once, each cut on its own.
    data += [chunk({"content": piece}, index=0) for piece in cut(first, places)]
    data += [tool("", index=0, id="c", name="f")]
    data += [tool(piece, index=0) for piece in cut(called, places)]
    events = events_of([*data, finish("tool_calls")])
    message = json.loads(write_whole(fold(events), model="m", id="x", created=1))["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (first, second)
    assert message["tool_calls"][0]["function"]["arguments"] == called


KEYS = st.sampled_from(["choices", "index", "delta", "content", "tool_calls", "function", "arguments", "finish_reason"])
BODY = st.recursive(
    st.none() | st.integers() | st.sampled_from(["\ud83d", "\ude00", "content", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(BODY)
def test_whatever_comes_is_joined_or_left_alone(body: object) -> None:
    halves = Halves()
    halves.held = {("0", "content"): "\ud83d"}
    json.loads(halves.join(json.dumps({"choices": [body]}).encode()).decode("utf-8", "surrogatepass"))


def test_an_event_without_damage_is_the_very_same_bytes() -> None:
    data = b'{"choices": [{"delta": {"content": "\\u00e9 \\ud83d\\ude00"}}], "x": 1e2}'
    assert Halves().join(data) is data


def test_the_reader_is_as_fast_as_ever_once_a_character_is_whole() -> None:
    reader = OpenAIStreamReader()
    for data in (chunk({"content": "\ud83d"}), chunk({"content": "\ude00"})):
        reader.feed(SseEvent(data))
    plain = chunk({"content": "x"}, odd=1.0)
    frame = reader.feed(SseEvent(plain))
    assert frame is not None
    assert frame.wire is plain
