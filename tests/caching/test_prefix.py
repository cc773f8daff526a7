"""What stays the same is marked for vendors that want it, once, and never beside a caller's own mark."""

import asyncio
import json

import msgspec

from mainstay.caching.prefix import marked
from mainstay.core.prompt import Message, Prompt, TextPart, Tool
from mainstay.core.target import Target
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.openai import read_ask

CLAUDE = Target("c", "p", "anthropic", "claude")
GPT = Target("g", "p", "openai", "gpt")
LONG = "word " * 2000
MARK = msgspec.Raw(b'{"type":"ephemeral"}')


def prompt(system: str = LONG, tools: tuple[Tool, ...] = ()) -> Prompt:
    opening = (Message("system", (TextPart(system),)),) if system else ()
    return Prompt("r", (*opening, Message("user", (TextPart("Hi"),))), tools=tools)


def mark(asked: Prompt, target: Target = CLAUDE) -> Prompt:
    return asyncio.run(marked(asked, target))


def tool(name: str, words: str = "") -> Tool:
    return Tool(name, words, msgspec.Raw(b"{}"))


def test_the_end_of_the_system_prompt_is_marked() -> None:
    part = mark(prompt()).messages[0].parts[0]
    assert isinstance(part, TextPart)
    assert part.extra == {"cache_control": MARK}
    assert mark(prompt()).messages[1] == prompt().messages[1]


def test_without_a_system_prompt_the_last_tool_is_marked() -> None:
    found = mark(prompt("", (tool("b", LONG), tool("a"))))
    assert [one.name for one in found.tools] == ["a", "b"]
    assert [one.extra for one in found.tools] == [{}, {"cache_control": MARK}]


def test_what_is_too_short_to_be_cached_is_left_alone() -> None:
    asked = prompt("Be brief.")
    assert mark(asked) is asked


def test_other_vendors_find_prefixes_by_themselves() -> None:
    asked = prompt()
    assert mark(asked, GPT) is asked


def test_tools_go_up_in_one_order_to_everyone() -> None:
    asked = prompt("Be brief.", (tool("b"), tool("a")))
    assert [one.name for one in mark(asked, GPT).tools] == ["a", "b"]
    ordered = prompt("Be brief.", (tool("a"), tool("b")))
    assert mark(ordered, GPT) is ordered


def test_a_callers_own_marks_stand_alone() -> None:
    part = TextPart(LONG, {"cache_control": MARK})
    own = Prompt("r", (Message("system", (TextPart(LONG),)), Message("user", (part,))), tools=(tool("b"), tool("a")))
    assert mark(own) is own


def test_the_mark_goes_up_on_anthropics_wire() -> None:
    asked = read_ask(json.dumps({"model": "r", "messages": [{"role": "user", "content": "Hi"}]}).encode())
    _, sent = AnthropicCodec().request(asked.asking(mark(prompt(tools=(tool("a"),)))), CLAUDE, stream=False)
    body = json.loads(sent)
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
