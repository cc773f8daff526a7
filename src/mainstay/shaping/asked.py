"""What form a call asks for: found in its prompt, compiled, and said in words for models without a mode for it."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mainstay.core.events import Dialect
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.shaping.json import Json, json_words
from mainstay.shaping.port import Form
from mainstay.shaping.schema import Schema, compile_schema

__all__ = ["Asked", "find_form", "instruct", "may_ask", "show_examples", "worded"]

#: Dialects whose schemas are best effort unless they say that they are strict.
_LENIENT: Final = frozenset({Dialect.OPENAI, Dialect.RESPONSES})
#: A letter or an underscore written as an escape. No encoder does that, but it is JSON; what encoders do escape (other
#: alphabets, quotes, signs of HTML, control characters) spells no name of a field.
_SPELT: Final = re.compile(rb"\\u00(?:5[fF]|6[1-9a-fA-F]|7[0-9aA])")


class Asked(msgspec.Struct, frozen=True):
    """The forms that one call's answers must have.

    ``text`` is what visible text must be, ``tools`` what the arguments of tools must fit, by name; None and a name that
    is not there are free. ``strict``: an answer that does not fit is no answer; otherwise the best attempt is.
    ``loose``: nothing is asked for again, and a model with a mode of its own is not looked after at all.
    ``cut_is_told``: an answer cut at its limit is handed on with the reason why it ended, as JSON mode promises.
    """

    text: Form | None
    tools: Mapping[str, Schema]
    strict: bool
    loose: bool = False
    cut_is_told: bool = False


def may_ask(raw: bytes) -> bool:
    """Return whether a request's bytes can ask for a form at all; cheap, and never wrongly False.

    True also where any name of a field may be spelt with escapes: then only a full reading tells what is there.
    """
    return b"json_" in raw or b'"strict"' in raw or (b"\\u00" in raw and _SPELT.search(raw) is not None)


def find_form(
    prompt: Prompt, dialect: Dialect, enforce: Literal["strict", "always", "never"], output: Form | None
) -> Asked | None:
    """Return what ``prompt`` asks for under a route's rules; None: nothing that is to be held.

    Raises:
        InvalidRequest: a schema is none.
    """
    if enforce == "never":
        return Asked(output, {}, strict=True) if output is not None and prompt.form is None else None
    text, strict = _text(prompt, dialect, enforce == "always")
    if text is None and (prompt.form is None or prompt.form.kind == "text"):
        text = output
    tools: dict[str, Schema] = {}
    for position, tool in enumerate(prompt.tools):
        if tool.parameters is not None and tool.opaque is None and (tool.strict or enforce == "always"):
            tools[tool.name] = compile_schema(bytes(tool.parameters), f"tools[{position}].function.parameters")
    if text is None and not tools:
        return None
    loose = not strict and prompt.form is not None and prompt.form.strict is False
    told = prompt.form is not None and prompt.form.kind == "json"
    return Asked(text, tools, strict, loose, told)


def _text(prompt: Prompt, dialect: Dialect, always: bool) -> tuple[Form | None, bool]:
    form = prompt.form
    if form is None or form.kind == "text":
        return None, True
    if form.kind == "json":
        return Json(None), True
    raw = bytes(form.schema) if form.schema is not None else b""
    if not raw:
        return Json(None), True
    strict = always or form.strict is True or dialect not in _LENIENT
    return Json(compile_schema(raw, "response_format.json_schema.schema"), raw.decode()), strict


def worded(prompt: Prompt) -> Prompt:
    """Return ``prompt`` with its form asked for in words instead of in a field."""
    form = prompt.form
    if form is None or form.kind == "text":
        return prompt
    words = json_words(bytes(form.schema).decode() if form.schema is not None else "")
    return replace(prompt, form=None, messages=instruct(prompt.messages, words))


def instruct(messages: Sequence[Message], words: str) -> tuple[Message, ...]:
    """Return ``messages`` with ``words`` at the end of what the system says."""
    last = -1
    for position, message in enumerate(messages):
        if message.role not in ("system", "developer"):
            break
        last = position
    if last < 0:
        return (Message("system", (TextPart(words),)), *messages)
    system = messages[last]
    changed = replace(system, parts=(*system.parts, TextPart("\n\n" + words)))
    return (*messages[:last], changed, *messages[last + 1 :])


def show_examples(prompt: Prompt, examples: Sequence[tuple[str, str]]) -> Prompt:
    """Return ``prompt`` with questions and their answers between what the system says and the conversation."""
    shown = [
        turn
        for question, answer in examples
        for turn in (Message("user", (TextPart(question),)), Message("assistant", (TextPart(answer),)))
    ]
    begin = next(
        (place for place, message in enumerate(prompt.messages) if message.role not in ("system", "developer")),
        len(prompt.messages),
    )
    return replace(prompt, messages=(*prompt.messages[:begin], *shown, *prompt.messages[begin:]))
