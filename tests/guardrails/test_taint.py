"""After foreign content, a tool that sends needs a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.prompt import Message, Prompt, TextPart, ToolCallPart, ToolResultPart
from mainstay.guardrails.taint import SendRule, Taint, ToolRules, allowed, destinations, taint_of

CLEAN, WEB = Taint(), Taint(frozenset({"web"}))
MIXED = Taint(frozenset({"web", "wiki"}))
ROWS = ToolRules(
    sends={"mail": True, "clock": False, "read_*": False},
    rules=(
        SendRule("mail", "human", after=("web",), to=("*.shop.example",)),
        SendRule("mail", after=("wiki",)),
        SendRule("post_*", "refuse", after=("web",)),
        SendRule("post_*"),
        SendRule("hook", to=("hooks.shop.example", "*.shop.example")),
    ),
)


@pytest.mark.parametrize(
    ("tool", "taint", "arguments", "do", "rule"),
    [
        ("mail", CLEAN, "", "allow", -1),
        ("clock", WEB, "", "allow", -1),
        ("read_file", WEB, "", "allow", -1),
        ("mail", WEB, "{}", "refuse", -1),
        ("mail", WEB, '{"to": "a@in.shop.example"}', "human", 0),
        ("mail", WEB, '{"to": "a@evil.example"}', "refuse", -1),
        ("mail", Taint(frozenset({"wiki"})), "{}", "allow", 1),
        ("mail", MIXED, "{}", "refuse", -1),
        ("post_it", MIXED, "{}", "refuse", 2),
        ("post_it", Taint(frozenset({"wiki"})), "{}", "allow", 3),
        ("unheard_of", WEB, "{}", "refuse", -1),
        ("hook", WEB, '{"url": "https://hooks.shop.example/x"}', "allow", 4),
        ("hook", WEB, '{"url": "https://hooks.shop.example/x", "cc": "evil.example"}', "refuse", -1),
        ("hook", WEB, '{"url": "https://hooks.shop.example@evil.example/"}', "refuse", -1),
        ("hook", WEB, '{"url": "https://\\u0065vil.example/"}', "refuse", -1),
        ("hook", WEB, '{"url": "https://localhost/"}', "refuse", -1),
        ("hook", WEB, '{"url": "http://127.0.0.1/"}', "refuse", -1),
        ("hook", WEB, "{broken evil.example hooks.shop.example", "refuse", -1),
    ],
)
def test_a_call_is_judged_by_what_came_before_and_where_it_goes(
    tool: str, taint: Taint, arguments: str, do: str, rule: int
) -> None:
    verdict = allowed(tool, taint, ROWS, arguments)
    assert (verdict.do, verdict.rule) == (do, rule)
    assert bool(verdict.reason) == (do != "allow")


def test_what_no_rule_names_follows_the_default() -> None:
    assert allowed("x", WEB, ToolRules(unknown=False)).do == "allow"
    assert allowed("x", WEB, ToolRules(otherwise="human")).do == "human"
    assert allowed("x", WEB, ToolRules(otherwise="allow")).do == "allow"


def test_a_prompt_is_tainted_by_results_of_tools_but_for_trusted_ones() -> None:
    prompt = Prompt(
        "m",
        (
            Message("user", (TextPart("hi"),)),
            Message("assistant", (ToolCallPart("1", "web", "{}"), ToolCallPart("2", "clock", "{}"))),
            Message("user", (ToolResultPart("1", (TextPart("a"),)), ToolResultPart("2", (TextPart("b"),)))),
            Message("tool", (TextPart("c"),)),
        ),
    )
    assert taint_of(prompt).sources == {"web", "clock", "tool"}
    assert taint_of(prompt, trusted=["clo*"]).sources == {"web", "tool"}
    assert taint_of(prompt, retrieved=[(0, 0)]).sources == {"retrieved", "web", "clock", "tool"}
    assert not taint_of(Prompt("m", prompt.messages[:1]))


def test_ids_that_are_given_again_on_every_turn_vouch_for_nothing() -> None:
    def turn(tool: str) -> tuple[Message, Message]:
        return Message("assistant", (ToolCallPart("0", tool, "{}"),)), Message("tool", (ToolResultPart("0"),))

    assert taint_of(Prompt("m", (*turn("web"), *turn("clock"))), trusted=["clock"]).sources == {"web"}
    both = Message("assistant", (ToolCallPart("0", "web", "{}"), ToolCallPart("0", "clock", "{}")))
    assert taint_of(Prompt("m", (both, turn("x")[1])), trusted=["clock"]).sources == {"tool"}


@given(
    st.text(max_size=60), st.sets(st.sampled_from(["web", "wiki", "tool"])), st.sampled_from(["mail", "post_a", "q"])
)
def test_more_taint_never_allows_what_less_refuses(arguments: str, sources: set[str], tool: str) -> None:
    order = {"allow": 0, "human": 1, "refuse": 2}
    less = allowed(tool, Taint(frozenset(sources)), ROWS, arguments).do
    more = allowed(tool, Taint(frozenset(sources | {"unheard_of"})), ROWS, arguments).do
    assert order[more] >= order[less] or not sources


@given(st.text(max_size=200))
def test_any_arguments_can_be_read(text: str) -> None:
    assert all(host == host.lower() for host in destinations(text))
