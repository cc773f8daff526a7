"""Tool calls come out whole and apart, however the upstream cuts and numbers them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import UpstreamBroken
from mainstay.core.events import ToolDelta, ToolStarted
from mainstay.core.fold import fold
from support.openai_chunks import chunk, events_of, finish, frames_of, relay, tool

ROLE = chunk({"role": "assistant", "content": None})


def calls_of(*chunks: bytes) -> list[tuple[str, str]]:
    """Return name and arguments of each call of choice 0, and check that the caller's view agrees."""
    frames = frames_of([ROLE, *chunks, finish("tool_calls")])
    events = fold([event for frame in frames for event in frame.events]).events
    opened = [event for event in events if isinstance(event, ToolStarted)]
    assert [event.index for event in opened] == list(range(len(opened)))
    assert len({event.id for event in opened}) == len(opened)
    said = {event.index: event.arguments for event in events if isinstance(event, ToolDelta)}
    found = [(event.name, said.get(event.index, "")) for event in opened]
    ids = [event.id for event in opened]
    assert seen_by_a_client(relay(frames)) == [(i, *call) for i, call in zip(ids, found, strict=True)]
    return found


def seen_by_a_client(chunks: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Join pieces as clients do: by index, appending every string."""
    calls: dict[int, dict[str, str]] = {}
    for data in chunks:
        for choice in data["choices"]:
            for piece in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
                call["id"] += piece.get("id") or ""
                for name in ("name", "arguments"):
                    call[name] += piece.get("function", {}).get(name) or ""
    return [(call["id"], call["name"], call["arguments"]) for _, call in sorted(calls.items())]


def test_a_call_by_the_book_keeps_its_bytes() -> None:
    chunks = [
        tool("", index=0, id="a", name="f"),
        tool('{"x"', index=0),
        tool("", index=1, id="b", name="g"),
        tool(":1}", index=0),
        tool("{}", index=1),
    ]
    assert calls_of(*chunks) == [("f", '{"x":1}'), ("g", "{}")]
    frames = frames_of([ROLE, *chunks, finish("tool_calls")])
    assert [frame.wire for frame in frames] == [ROLE, *chunks, finish("tool_calls")]


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        # The index is missing.
        ([tool("{}", id="a", name="f")], [("f", "{}")]),
        ([tool("{", id="a", name="f"), tool("}"), tool("[", id="b", name="g"), tool("]")], [("f", "{}"), ("g", "[]")]),
        # One index for every call.
        ([tool("{}", index=0, id="a", name="f"), tool("[]", index=0, id="b", name="g")], [("f", "{}"), ("g", "[]")]),
        (
            [
                tool("{", index=0, id="a", name="f"),
                tool("}", index=0),
                tool("[", index=0, id="b", name="f"),
                tool("]", index=0),
            ],
            [("f", "{}"), ("f", "[]")],
        ),
        # Neither ids nor distinct indexes.
        (
            [tool('{"a":1}', index=0, name="f"), tool('{"a":2}', index=0, name="f")],
            [("f", '{"a":1}'), ("f", '{"a":2}')],
        ),
        ([tool("{}", index=0, name="f"), tool("{}", index=0, name="g")], [("f", "{}"), ("g", "{}")]),
        ([tool("{}", name="f"), tool("{}", name="g")], [("f", "{}"), ("g", "{}")]),
        # Ids are missing but indexes are right.
        (
            [tool("", index=0, name="f"), tool("{}", index=0), tool("", index=1, name="g"), tool("[]", index=1)],
            [("f", "{}"), ("g", "[]")],
        ),
        # Id and name in every piece.
        ([tool("{", index=0, id="a", name="f"), tool("}", index=0, id="a", name="f")], [("f", "{}")]),
        ([tool("{", index=0, name="f"), tool("}", index=0, name="f")], [("f", "{}")]),
        ([tool("{}", index=0, name="f"), tool("", index=0, name="f")], [("f", "{}")]),
        # A new id in every piece.
        ([tool("{", index=0, id="a", name="f"), tool("}", index=0, id="b")], [("f", "{}")]),
        # The same id for two calls.
        ([tool("{}", index=0, id="a", name="f"), tool("[]", index=1, id="a", name="g")], [("f", "{}"), ("g", "[]")]),
        # The id comes before the name, or after it.
        ([tool("{", index=0, id="a"), tool("", index=0, name="f"), tool("}", index=0)], [("f", "{}")]),
        ([tool("", index=0, name="f"), tool("{}", index=0, id="a")], [("f", "{}")]),
        # Counting from one.
        ([tool("{}", index=1, id="a", name="f"), tool("[]", index=2, id="b", name="g")], [("f", "{}"), ("g", "[]")]),
        # Arguments as an object.
        (
            [chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1.0}}}]})],
            [("f", '{"x":1.0}')],
        ),
        # Two whole calls in one delta, without ids.
        (
            [
                chunk(
                    {
                        "tool_calls": [
                            {"function": {"name": "f", "arguments": "{}"}},
                            {"function": {"name": "f", "arguments": "{}"}},
                        ]
                    }
                )
            ],
            [("f", "{}"), ("f", "{}")],
        ),
        # No arguments at all.
        ([tool("", index=0, id="a", name="f")], [("f", "")]),
        ([tool(None, index=0, id="a", name="f")], [("f", "")]),
    ],
)
def test_what_upstreams_number_wrongly_is_told_apart(chunks: list[bytes], calls: list[tuple[str, str]]) -> None:
    assert calls_of(*chunks) == calls


def test_a_minted_id_is_minted_once() -> None:
    opened = [
        event
        for event in events_of([ROLE, tool("{", index=0, name="f"), tool("}", index=0), finish("tool_calls")])
        if isinstance(event, ToolStarted)
    ]
    assert len(opened) == 1
    assert opened[0].id.startswith("call_")


def test_a_call_that_never_gets_a_name_breaks_the_answer() -> None:
    with pytest.raises(UpstreamBroken):
        frames_of([ROLE, tool("{}", index=0, id="a"), finish("tool_calls")])


def test_a_call_cut_by_the_limit_stays_cut() -> None:
    events = events_of([ROLE, tool('{"a": "b', index=0, id="a", name="f"), finish("length")])
    assert ToolDelta('{"a": "b') in events


def test_text_beside_a_wrong_call_is_not_lost() -> None:
    both = chunk({"content": "see", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]})
    chunks = relay(frames_of([ROLE, both, finish("stop")]))
    assert "".join(data["choices"][0]["delta"].get("content") or "" for data in chunks) == "see"
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


ARGUMENTS = st.recursive(
    st.none() | st.integers() | st.text() | st.sampled_from(["😀", "é", '\\"', "\u2028"]),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
).map(lambda value: {"a": value})


@given(
    values=st.lists(st.tuples(ARGUMENTS, st.booleans()), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    ids=st.sampled_from(["all", "opening", "none"]),
    indexes=st.sampled_from(["right", "zero", "missing"]),
)
def test_any_cutting_of_the_arguments_reassembles(
    values: list[tuple[dict[str, Any], bool]], cuts: list[int], ids: str, indexes: str
) -> None:
    chunks, expected = [], []
    for i, (value, ascii_only) in enumerate(values):
        text = json.dumps(value, ensure_ascii=ascii_only)
        expected.append((f"f{i}", text))
        places = sorted({min(cut, len(text)) for cut in cuts})
        for j, (a, b) in enumerate(zip([0, *places], [*places, len(text)], strict=True)):
            head: dict[str, Any] = {}
            if ids == "all" or (ids == "opening" and j == 0):
                head["id"] = f"c{i}"
            if indexes != "missing":
                head["index"] = i if indexes == "right" else 0
            if j == 0:
                head["name"] = f"f{i}"
            chunks.append(tool(text[a:b], **head))
    assert calls_of(*chunks) == expected
