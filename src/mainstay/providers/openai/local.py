"""What a local engine is asked: chat completions as llama.cpp's own server takes them.

It speaks OpenAI's wire with gaps that it does not tell of. Measured over HTTP with version 11549 of its build:

* Without a limit a small model may write until its window is full, for a minute and more. So a call without
  ``max_tokens`` and ``max_completion_tokens`` gets ``max_tokens``: the model's ``max_output``, at most 1024.
* ``tool_choice: required`` holds: the answer cannot end before a call. A ``tool_choice`` that names a function is taken
  for ``auto``. So it becomes ``required`` with that function alone among the tools.
* ``functions`` and ``function_call`` are not read. They become ``tools`` and ``tool_choice``.
* A ``pattern`` with ``\\d``, ``\\w`` or ``\\s`` in it lets any text pass; with the same classes written out it holds.
* Tools that are no functions end in a 500, other forms of ``tool_choice`` are not read: both are refused here.
"""

import re
from typing import Final

import msgspec

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import Prompt, ToolChoice
from mainstay.core.target import Feature, Target
from mainstay.providers.openai.prompt_writer import adapt_prompt, write_prompt
from mainstay.providers.openai.requests import ask_same

__all__ = ["ask_local"]

#: The most tokens of an answer whose caller set no limit.
_MOST = 1024
#: A schema's pattern in a body; in a text it would have its quotes escaped.
_PATTERN: Final = re.compile(rb'("pattern"\s*:\s*)("(?:[^"\\]|\\.)*")')
#: Any escape of a pattern, or the edge of a class; and what is written for classes, which holds no more than they do.
_ESCAPE: Final = re.compile(r"\\.|[\[\]]", re.DOTALL)
_WRITTEN_OUT: Final = {"\\d": "0-9", "\\w": "A-Za-z0-9_", "\\s": " "}


def ask_local(ask: Ask, target: Target, *, stream: bool) -> bytes:
    """Return the body that asks the engine behind ``target`` what ``ask`` asks.

    Raises:
        Unsupported: the engine would ignore a part of it; ``param`` names the field.
        InvalidRequest: ``tool_choice`` names a function that is not among the tools.
    """
    model = target.upstream or ask.model
    most = min(target.max_output, _MOST)
    ours = ask.dialect is Dialect.OPENAI
    if ours and ask.raw and Feature.TOOLS not in ask.features:
        return _plain(ask_same(ask, model, stream=stream, most=most))
    prompt = _settle(ask.prompt if ours else adapt_prompt(ask.prompt))
    if prompt.max_tokens is None and "n_predict" not in prompt.extra:
        prompt = msgspec.structs.replace(prompt, max_tokens=most)
    return _plain(write_prompt(msgspec.structs.replace(prompt, model=model), stream=stream, limit="max_tokens"))


def _plain(body: bytes) -> bytes:
    """Return a body whose patterns are such as the engine's grammar obeys."""
    if b'"pattern"' not in body:
        return body
    return _PATTERN.sub(lambda found: found[1] + _write_out(found[2]), body)


def _write_out(text: bytes) -> bytes:
    try:
        pattern = msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        return text
    inside = False

    def written(found: re.Match[str]) -> str:
        nonlocal inside
        word = found[0]
        if word in "[]":
            inside = word == "["
            return word
        plain = _WRITTEN_OUT.get(word)
        return word if plain is None else plain if inside else f"[{plain}]"

    return msgspec.json.encode(_ESCAPE.sub(written, pattern))


def _settle(prompt: Prompt) -> Prompt:
    """Return ``prompt`` with a choice of tools that the engine obeys."""
    for i, tool in enumerate(prompt.tools):
        if tool.opaque is not None:
            param = f"tools[{i}]"
            raise Unsupported(f"This model takes function tools only; leave out '{param}'.", param=param)
    if "tool_choice" in prompt.extra:
        raise Unsupported(
            "This model's 'tool_choice' is 'none', 'auto', 'required' or one function; send one of these.",
            param="tool_choice",
        )
    choice = prompt.tool_choice
    if choice is None or choice.kind != "tool":
        return prompt
    named = tuple(tool for tool in prompt.tools if tool.name == choice.name)
    if not named:
        raise InvalidRequest(
            "The function that 'tool_choice' names is not among the tools; add it or name another.", param="tool_choice"
        )
    return msgspec.structs.replace(prompt, tools=named, tool_choice=ToolChoice("any"))
