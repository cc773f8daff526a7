"""One question in every caller's dialect: what is asked, and the words that must reach whoever is asked."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PDF", "PNG", "QUESTIONS", "Question", "ask_chat", "ask_messages", "ask_responses"]

Json = dict[str, Any]

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n not a picture").decode()
PDF = base64.b64encode(b"%PDF-1.7 not a document").decode()
SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Tool:
    """A call with its result."""

    id: str
    arguments: str
    result: str


@dataclass(frozen=True)
class Question:
    """What is asked, in no one's form.

    ``turns`` are texts of the user and the model in turns, beginning with the user. ``calls`` are made after them, all
    at once, and answered; ``after`` is what the user says then. ``shown`` is an image or document by kind and way:
    ``image-data``, ``image-url``, ``pdf``, ``note``. ``settings`` are ``limit``, ``temperature``, ``top_p``, ``stop``,
    ``effort``, ``schema``.
    """

    turns: Sequence[str] = ("Hi there?",)
    system: str = ""
    tools: int = 0
    choice: str = ""
    alone: bool = False
    calls: Sequence[Tool] = ()
    after: str = ""
    shown: str = ""
    settings: Json = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """What must be found in whatever is sent, in that order."""
        said = [*self.turns]
        said += [call.arguments for call in self.calls]
        said += [call.result for call in self.calls]
        return [*said, *([self.after] if self.after else [])]


_TWO = (Tool("call_a", '{"city":"Köln"}', "It rains."), Tool("call_b", '{"city":"Bonn"}', 'It is "dry".'))

QUESTIONS: dict[str, Question] = {
    "text": Question(),
    "text of every kind": Question(('Hé \U0001f600 "quoted" \\ \u2028\n</s>',)),
    "system": Question(system="Be brief."),
    "several turns": Question(("One?", "First.", "Two?", "Second.", "Three?"), "Be brief."),
    "one tool": Question(tools=1),
    "many tools": Question(tools=3, choice="auto"),
    "a tool must be called": Question(tools=2, choice="any"),
    "one tool must be called": Question(tools=2, choice="tool"),
    "no tool may be called": Question(tools=1, choice="none"),
    "one call at a time": Question(tools=1, alone=True),
    "a call and its result": Question(tools=1, calls=_TWO[:1]),
    "parallel calls and their results": Question(("How is it?",), "Be brief.", 1, calls=_TWO, after="And tomorrow?"),
    "an image": Question(shown="image-data"),
    "an image by address": Question(shown="image-url"),
    "a document": Question(shown="pdf"),
    "a note": Question(shown="note"),
    "settings": Question(settings={"limit": 77, "temperature": 0.5, "top_p": 0.25}),
    "stop": Question(settings={"stop": ["END"]}),
    "thinking": Question(settings={"effort": "high", "limit": 30000}),
    "a form": Question(settings={"schema": SCHEMA}),
}


def _name(index: int) -> str:
    return f"look_{index}"


# Chat completions.


def ask_chat(question: Question) -> Json:
    """Return a chat completion request."""
    messages: list[Json] = [{"role": "system", "content": question.system}] if question.system else []
    for index, text in enumerate(question.turns):
        messages.append({"role": "assistant" if index % 2 else "user", "content": text})
    if question.shown:
        first = {"type": "text", "text": question.turns[0]}
        messages[-1]["content"] = [first, _chat_part(question.shown)]
    if question.calls:
        made = [
            {"id": call.id, "type": "function", "function": {"name": _name(0), "arguments": call.arguments}}
            for call in question.calls
        ]
        messages.append({"role": "assistant", "content": None, "tool_calls": made})
        messages += [{"role": "tool", "tool_call_id": call.id, "content": call.result} for call in question.calls]
    if question.after:
        messages.append({"role": "user", "content": question.after})
    body: Json = {"model": "m", "messages": messages}
    if question.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": _name(i), "description": "Gets.", "parameters": SCHEMA}}
            for i in range(question.tools)
        ]
    if question.choice:
        named = {"type": "function", "function": {"name": _name(0)}}
        body["tool_choice"] = {"any": "required", "tool": named}.get(question.choice, question.choice)
    if question.alone:
        body["parallel_tool_calls"] = False
    given = question.settings
    names = {"limit": "max_completion_tokens", "effort": "reasoning_effort"}
    body |= {names.get(name, name): value for name, value in given.items() if name != "schema"}
    if "schema" in given:
        form = {"name": "weather", "schema": given["schema"], "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


def _chat_part(kind: str) -> Json:
    if kind.startswith("image"):
        url = "https://pictures.example/a.png" if kind == "image-url" else f"data:image/png;base64,{PNG}"
        return {"type": "image_url", "image_url": {"url": url}}
    media, data = ("application/pdf", PDF) if kind == "pdf" else ("text/plain", base64.b64encode(b"A note.").decode())
    return {"type": "file", "file": {"filename": "paper", "file_data": f"data:{media};base64,{data}"}}


# Messages.


def ask_messages(question: Question) -> Json:
    """Return a message request."""
    messages: list[Json] = []
    for index, text in enumerate(question.turns):
        messages.append({"role": "assistant" if index % 2 else "user", "content": text})
    if question.shown:
        messages[-1]["content"] = [{"type": "text", "text": question.turns[0]}, _message_part(question.shown)]
    if question.calls:
        made = [
            {"type": "tool_use", "id": call.id, "name": _name(0), "input": json.loads(call.arguments)}
            for call in question.calls
        ]
        results: list[Json] = [
            {"type": "tool_result", "tool_use_id": call.id, "content": call.result} for call in question.calls
        ]
        if question.after:
            results.append({"type": "text", "text": question.after})
        messages += [{"role": "assistant", "content": made}, {"role": "user", "content": results}]
    given = question.settings
    body: Json = {"model": "m", "max_tokens": given.get("limit", 100), "messages": messages}
    if question.system:
        body["system"] = question.system
    if question.tools:
        body["tools"] = [
            {"name": _name(i), "description": "Gets.", "input_schema": SCHEMA} for i in range(question.tools)
        ]
    choice: Json = {"type": question.choice or "auto"}
    if question.choice == "tool":
        choice["name"] = _name(0)
    if question.alone:
        choice["disable_parallel_tool_use"] = True
    if question.choice or question.alone:
        body["tool_choice"] = choice
    body |= {name: given[name] for name in ("temperature", "top_p") if name in given}
    if "stop" in given:
        body["stop_sequences"] = given["stop"]
    if "effort" in given:
        body["thinking"] = {"type": "enabled", "budget_tokens": 20000}
    if "schema" in given:
        body["output_config"] = {"format": {"type": "json_schema", "schema": given["schema"]}}
    return body


def _message_part(kind: str) -> Json:
    sources: dict[str, Json] = {
        "image-data": {"type": "base64", "media_type": "image/png", "data": PNG},
        "image-url": {"type": "url", "url": "https://pictures.example/a.png"},
        "pdf": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        "note": {"type": "text", "media_type": "text/plain", "data": "A note."},
    }
    return {"type": "image" if kind.startswith("image") else "document", "source": sources[kind]}


# Responses.


def ask_responses(question: Question) -> Json:
    """Return a request for a response; stop strings it cannot ask for."""
    items: list[Json] = []
    for index, text in enumerate(question.turns):
        items.append({"role": "assistant" if index % 2 else "user", "content": text})
    if question.shown:
        items[-1]["content"] = [{"type": "input_text", "text": question.turns[0]}, _response_part(question.shown)]
    items += [
        {"type": "function_call", "call_id": call.id, "name": _name(0), "arguments": call.arguments}
        for call in question.calls
    ]
    items += [{"type": "function_call_output", "call_id": call.id, "output": call.result} for call in question.calls]
    if question.after:
        items.append({"role": "user", "content": question.after})
    body: Json = {"model": "m", "input": items}
    if question.system:
        body["instructions"] = question.system
    if question.tools:
        body["tools"] = [
            {"type": "function", "name": _name(i), "description": "Gets.", "parameters": SCHEMA, "strict": False}
            for i in range(question.tools)
        ]
    if question.choice:
        named = {"type": "function", "name": _name(0)}
        body["tool_choice"] = {"any": "required", "tool": named}.get(question.choice, question.choice)
    if question.alone:
        body["parallel_tool_calls"] = False
    given = question.settings
    body |= {name: given[name] for name in ("temperature", "top_p") if name in given}
    if "limit" in given:
        body["max_output_tokens"] = given["limit"]
    if "effort" in given:
        body["reasoning"] = {"effort": given["effort"]}
    if "schema" in given:
        form = {"type": "json_schema", "name": "weather", "schema": given["schema"], "strict": True}
        body["text"] = {"format": form}
    return body


def _response_part(kind: str) -> Json:
    if kind.startswith("image"):
        url = "https://pictures.example/a.png" if kind == "image-url" else f"data:image/png;base64,{PNG}"
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    media, data = ("application/pdf", PDF) if kind == "pdf" else ("text/plain", base64.b64encode(b"A note.").decode())
    return {"type": "input_file", "filename": "paper", "file_data": f"data:{media};base64,{data}"}
