"""Equal requests have equal keys, on any wire; whatever shapes an answer changes the key."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mainstay.caching.config import RouteCacheConfig
from mainstay.caching.key import Rule, is_keepable, key_of, says_one_thing
from mainstay.core.call import Call, Caller
from mainstay.core.errors import PolicyDenied
from mainstay.core.record import RailVerdict
from mainstay.core.sources import Found, Pin, Source
from mainstay.core.target import Operation
from mainstay.providers.anthropic import read_ask as read_messages
from mainstay.providers.openai import read_ask as read_chat
from mainstay.providers.responses import read_ask as read_response
from support.routing import call_of_bytes, make_target

TARGETS = (make_target("a"), make_target("b"))
RULE = Rule("r", RouteCacheConfig(), b"shape", TARGETS)
ADA = Caller("k1", "ada", team="blue", organisation="shop")


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "r", "messages": [{"role": "user", "content": "Hello?"}], **fields}


def call(fields: dict[str, Any] | None = None, *, caller: Caller = ADA, **more: Any) -> Call:
    return call_of_bytes(json.dumps(fields if fields is not None else body()).encode(), caller=caller, **more)


def key(asked: Call, rule: Rule = RULE) -> bytes:
    return key_of(asked, rule).key


def source(passage: str = "p1", sha: str = "aa", revision: int = 1) -> Source:
    return Source(Pin("kb", "main", 3), "doc", revision, passage, 0, 4, 0, 4, "text", sha)


PLAIN = key(call())
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    "fields",
    [
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"metadata": {"ticket": "7"}},
        {"prompt_cache_key": "abc"},
        {"model": "alias"},
        {"store": False},
    ],
)
def test_how_an_answer_is_sent_or_filed_changes_no_key(fields: dict[str, Any]) -> None:
    assert key(call(body(**fields))) == PLAIN


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0},
        {"top_p": 0.5},
        {"max_tokens": 10},
        {"stop": ["x"]},
        {"seed": 7},
        {"n": 1},
        {"frequency_penalty": 1},
        {"presence_penalty": 1},
        {"logit_bias": {"50256": -100}},
        {"logprobs": True},
        {"logprobs": True, "top_logprobs": 3},
        {"response_format": {"type": "json_object"}},
        {"response_format": SCHEMA},
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "none"},
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"tools": [TOOL, OTHER]},
        {"reasoning_effort": "low"},
        {"user": "bob"},
        {"top_k": 4},
        {"verbosity": "low"},
        {"messages": [{"role": "user", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "hello?"}]},
        {"messages": [{"role": "user", "content": "Hello?", "name": "bob"}]},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]},
        {"messages": [{"role": "assistant", "content": "Hello?"}]},
        {"messages": [{"role": "user", "content": "Hello?"}, {"role": "user", "content": ""}]},
    ],
)
def test_whatever_shapes_an_answer_changes_the_key(fields: dict[str, Any]) -> None:
    assert key(call(body(**fields))) != PLAIN


def test_keys_of_fields_are_all_different() -> None:
    bodies = [
        {"temperature": 0},
        {"top_p": 0},
        {"seed": 0},
        {"user": "0"},
        {"stop": ["0"]},
        {"top_k": 0},
        {"max_tokens": 1},
        {"top_logprobs": 1, "logprobs": True},
    ]
    assert len({key(call(body(**fields))) for fields in bodies}) == len(bodies)


def test_order_counts_only_where_it_has_a_meaning() -> None:
    def tools(*entries: Any) -> bytes:
        return key(call(body(tools=list(entries), stop=["x", "y"])))

    assert tools(TOOL, OTHER) == tools(OTHER, TOOL)
    assert key(call(body(stop=["x", "y"]))) == key(call(body(stop=["y", "x"])))
    assert key(call(body(logit_bias={"1": 2, "3": 4}))) == key(call(body(logit_bias={"3": 4, "1": 2})))
    turned = dict(reversed(body().items()))
    assert key(call(turned)) == PLAIN

    def form(*names: str) -> bytes:
        schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
        return key(call(body(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})))

    # A model writes properties in the order of its schema.
    assert form("a", "b") != form("b", "a")


def test_the_same_request_on_another_wire_has_the_same_key() -> None:
    chat = {
        "model": "r",
        "max_tokens": 50,
        "temperature": 0.5,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
    }
    messages = {
        "model": "r",
        "max_tokens": 50,
        "temperature": 0.5,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hello?"}],
    }
    marked = messages | {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    }
    plain = call(chat)
    others = [replace(plain, ask=read_messages(json.dumps(one).encode())) for one in (messages, marked)]
    assert [key(one) for one in others] == [key(plain)] * 2
    version = (b"anthropic-version", b"2023-06-01")
    assert key(replace(others[0], headers=(version, (b"x-stainless-lang", b"python")))) == key(plain)
    assert key(replace(others[0], headers=(version, (b"anthropic-beta", b"x-2026")))) != key(plain)


def test_what_only_a_response_can_ask_for_changes_its_key() -> None:
    def asked(**fields: Any) -> bytes:
        body = json.dumps({"model": "r", "input": "Hello?", **fields}).encode()
        return key(replace(call(), ask=read_response(body)))

    assert asked() == PLAIN
    keys = {
        asked(),
        asked(include=["reasoning.encrypted_content"]),
        asked(reasoning={"effort": "low"}),
        asked(reasoning={"effort": "low", "summary": "auto"}),
        asked(text={"verbosity": "low"}),
    }
    assert len(keys) == 5


def test_who_may_share_follows_the_scope() -> None:
    mate = Caller("k2", "bob", team="blue", organisation="shop")
    other = Caller("k3", "cem", team="red", organisation="shop")
    far = Caller("k4", "dee", team="blue", organisation="mill")
    alone = Caller("k5", "eve")
    loner = Caller("k6", "fay")

    def same(scope: Any, *callers: Caller) -> bool:
        rule = Rule("r", RouteCacheConfig(scope=scope), b"shape", TARGETS)
        return len({key(call(caller=one), rule) for one in callers}) == 1

    assert same("team", ADA, mate)
    assert not same("team", ADA, other)
    assert not same("team", ADA, far)
    assert not same("team", alone, loner)
    assert not same("key", ADA, mate)
    assert same("organisation", ADA, other)
    assert not same("organisation", ADA, far)
    assert same("all", ADA, far, alone)


def test_users_share_only_where_the_route_says_so() -> None:
    together = Rule("r", RouteCacheConfig(across_users=True), b"shape", TARGETS)
    ada, bob = call(body(user="ada")), call(body(user="bob"))
    assert key(ada) != key(bob)
    assert key(ada, together) == key(bob, together)


def test_the_route_and_what_was_wished_are_part_of_the_key() -> None:
    plain = call()
    assert key(plain, replace(RULE, shape=b"other")) != PLAIN
    assert key(plain, replace(RULE, route="s")) != PLAIN
    assert key(replace(plain, wished_model="b")) != PLAIN
    assert key(replace(plain, wished_prompt="p@2")) != PLAIN
    assert key(replace(plain, ask=replace(plain.ask, operation=Operation.COMPLETION))) != PLAIN
    denied = PolicyDenied("No.")
    assert key(replace(plain, forbids=lambda target: denied if target.model == "b" else None)) != PLAIN
    assert key(replace(plain, forbids=lambda target: None)) == PLAIN


def test_sources_are_part_of_the_key_and_not_of_the_partition() -> None:
    pin = Pin("kb", "main", 3)

    def asked(*sources: Source, at: Pin = pin) -> tuple[bytes, bytes]:
        found = key_of(replace(call(), found=Found(at, sources)), RULE)
        return found.key, found.partition

    first = asked(source())
    assert first[0] != PLAIN
    assert asked(source(sha="bb"))[0] != first[0]
    assert asked(source("p2"))[0] != first[0]
    assert asked(source(revision=2))[0] != first[0]
    assert asked(source(), source("p2"))[0] != first[0]
    # An edit elsewhere in the base changes its step, and nothing here.
    assert asked(source(), at=Pin("kb", "main", 9)) == first
    assert asked(source("p2"))[1] == first[1] == key_of(call(), RULE).partition


def test_the_partition_covers_all_but_the_last_words_of_the_user() -> None:
    def partition(text: str, **fields: Any) -> tuple[bytes, str]:
        found = key_of(call(body(**{"messages": [{"role": "user", "content": text}], **fields})), RULE)
        return found.partition, found.text

    assert partition("One?")[0] == partition("Two?")[0]
    assert partition("One?")[1] == "One?"
    assert partition("One?", temperature=0)[0] != partition("One?")[0]
    pictured = body(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}])
    assert key_of(call(pictured), RULE).text == ""
    answered = body(messages=[{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Yes."}])
    assert key_of(call(answered), RULE).text == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"store": True},
        {"web_search_options": {}},
        {"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "wav"}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}]},
    ],
)
def test_what_is_of_the_moment_is_not_kept(fields: dict[str, Any]) -> None:
    assert is_keepable(call(), RULE)
    assert not is_keepable(call(body(**fields)), RULE)


def test_what_a_rail_has_found_something_in_is_not_kept() -> None:
    asked = call()
    asked.record.verdicts.append(RailVerdict("mail", "input"))
    assert is_keepable(asked, RULE)
    asked.record.verdicts.append(RailVerdict("names", "input", "pseudonymised"))
    assert not is_keepable(asked, RULE)


def test_only_talk_is_kept() -> None:
    asked = call()
    assert not is_keepable(replace(asked, ask=replace(asked.ask, operation=Operation.COUNT)), RULE)


@pytest.mark.parametrize(("heat", "keeps"), [(None, False), (0.3, False), (0.2, True), (0, True)])
def test_a_limit_of_temperature_counts_calls_that_give_none_as_one(heat: float | None, keeps: bool) -> None:
    rule = Rule("r", RouteCacheConfig(max_temperature=0.2), b"shape", TARGETS)
    assert is_keepable(call(body(temperature=heat)), rule) is keeps


def test_a_field_that_is_there_twice_is_noticed_at_any_depth() -> None:
    assert says_one_thing(json.dumps(body(tools=[TOOL])).encode())
    assert not says_one_thing(b'{"a": 1, "a": 1}')
    assert not says_one_thing(b'{"a": [{"b": {"c": 1, "c": 2}}]}')


_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_bodies = st.fixed_dictionaries(
    {"messages": st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": _texts}), min_size=1, max_size=3)},
    optional={
        "temperature": st.floats(0, 2),
        "seed": st.integers(0, 2**62),
        "max_tokens": st.integers(1, 1000),
        "stop": st.lists(_texts.filter(bool), max_size=3, unique=True),
        "user": _texts,
        "top_k": st.integers(1, 50),
    },
)


@settings(max_examples=60, deadline=None)
@given(_bodies, _bodies)
def test_keys_are_equal_exactly_where_requests_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    def plain(fields: dict[str, Any]) -> Any:
        # An empty list of stop strings asks for nothing.
        return {**fields, "stop": sorted(fields.get("stop", []))}

    keys = [key(replace(call(), ask=read_chat(msgspec.json.encode({"model": "r", **one})))) for one in (one, other)]
    assert (keys[0] == keys[1]) is (plain(one) == plain(other))
    again = msgspec.json.encode({**dict(reversed(one.items())), "model": "r", "stream": True})
    assert key(replace(call(), ask=read_chat(again))) == keys[0]
