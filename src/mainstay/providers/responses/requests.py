"""What a Responses upstream is asked: a caller's own body of this wire, or a prompt as one.

A body of this wire goes up as it came, or with top-level fields replaced and all else kept byte for byte. Reasoning in
it that another vendor's model thought, or another account's, is left out: this one could not open it.

Of a prompt nothing is lost in silence. What the wire has is translated; what it lacks (``n`` over 1, ``stop``,
``seed``, ``logit_bias``, penalties) is refused with the field named, unless the value is the one that changes nothing.
Fields that no codec knows go up verbatim.

* ``store`` is false unless the caller says otherwise: what must be kept is kept here.
* ``reasoning.encrypted_content`` is asked for where the model reasons, so that its reasoning can be carried on. That is
  where an effort is asked for, or the model's name says so: models that do not reason refuse the wish.
* ``max_tokens``: ``max_output_tokens``; ``response_format``: ``text.format``; ``verbosity``: ``text.verbosity``;
  ``reasoning_effort``: ``reasoning.effort``, beside what a ``reasoning`` in the request says.
* ``logprobs``: an entry of ``include``, and ``top_logprobs``.
* Tools are flat. One that does not say whether it is strict is not, as other wires have it. Tools of a caller of this
  wire go up as that caller wrote them, unless they were changed on the way: only so do its custom tools stay what they
  are, in the answer too.
* Anthropic's own fields become OpenAI's first, as for chat completions.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import OutputForm, Prompt, Tool, ToolChoice
from mainstay.core.seal import opened, unmark
from mainstay.core.target import Target
from mainstay.providers.lacking import caller_word, refuse_settings, settle_fields
from mainstay.providers.openai.foreign import adapt_fields
from mainstay.providers.openai.wire import an_object, read_fields, read_list
from mainstay.providers.responses.asks import ResponsesAsk
from mainstay.providers.responses.door import NOTHING, UNREADABLE, present, read_door
from mainstay.providers.responses.history import home_of
from mainstay.providers.responses.input_writer import write_input
from mainstay.providers.responses.sealed import open_own, open_seal
from mainstay.providers.responses.tools import Toolbox, read_toolbox
from mainstay.providers.responses.wire import open_signature

__all__ = ["ask_same", "translate"]

Body = dict[str, Any]
Fields = dict[str, msgspec.Raw]

_TRUE, _FALSE = msgspec.Raw(b"true"), msgspec.Raw(b"false")
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
_REASONING = re.compile(rb'"type"\s*:\s*"reasoning"')
_REASONS = re.compile(r"(?:^|[/.])(?:o[1-9](?:-|$)|gpt-(?:[5-9]|\d\d)(?!.*chat)|gpt-oss|codex)")
_ENCRYPTED, _LOGPROBS = "reasoning.encrypted_content", "message.output_text.logprobs"
#: Fields that this wire has under the name they have elsewhere.
_SHARED = frozenset(
    {
        "max_tool_calls",
        "metadata",
        "moderation",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "truncation",
    }
)
_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
#: What a caller of this wire said that no prompt carries.
_SAID = ("include", "max_tool_calls", "metadata", "prompt_cache_options", "reasoning", "store", "stream_options")


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    encrypted_content: str | None = None


_item = msgspec.json.Decoder(_Item)


def ask_same(ask: Ask, model: str, *, stream: bool, maker: str = "") -> bytes:
    """Return the body that asks an upstream of this wire: the caller's own bytes unless something must change.

    ``maker`` is the provider that is asked: what it sealed itself goes up as it made it.
    """
    # Items that were put in its place came from here.
    kept = isinstance(ask, ResponsesAsk) and ask.raw is not ask.said
    raw = open_own(ask.raw, maker)
    foreign = kept or b"mainstay:" in raw or _REASONING.search(raw) is not None
    same = stream == ask.stream and model == ask.model
    if same and not foreign:
        return raw
    fields = read_fields(raw)
    items = _their_items(fields.get("input", NOTHING), maker, kept=kept) if foreign else None
    if items is not None:
        fields["input"] = msgspec.Raw(msgspec.json.encode(items))
    elif same:
        return raw
    if model != ask.model:
        fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if stream != ask.stream:
        fields["stream"] = _TRUE if stream else _FALSE
        if not stream:
            fields.pop("stream_options", None)
    return msgspec.json.encode(fields)


def _their_items(given: msgspec.Raw, maker: str, *, kept: bool) -> list[object] | None:
    """Return the items as the provider ``maker`` could have made them; None where nothing changes.

    ``kept`` says that some of them were kept here, by names of our own that the vendor never heard.
    """
    if bytes(given)[:1] != b"[":
        return None
    items: list[object] = []
    changed = False
    #: Behind reasoning that another account made stand items that it made too: here their names mean nothing.
    orphaned = False
    for raw in read_list(given):
        try:
            item = _item.decode(raw)
        except UNREADABLE:
            item = _Item()
        found: object = raw
        if item.encrypted_content and unmark(item.encrypted_content)[0]:
            found, orphaned = None, True
        elif item.type == "reasoning":
            found, orphaned = _opened(raw, item, maker), False
        elif not item.type or item.type.endswith("_output") or _is_told(item):
            orphaned = False
            if kept and item.id and item.type:
                found = _without(read_fields(raw), "id")
        elif orphaned and item.id and item.type != "item_reference":
            found = _without(read_fields(raw), "id")
        changed = changed or found is not raw
        if found is not None:
            items.append(found)
    return items if changed else None


def _is_told(item: _Item) -> bool:
    """Return whether an item is a message to the model: on the wire it has no name."""
    return item.type == "message" and item.role != "assistant"


def _opened(raw: msgspec.Raw, item: _Item, maker: str) -> msgspec.Raw | None:
    """Return a block of reasoning as its vendor knows it, or None when it is another's."""
    if not item.encrypted_content:
        # One made here was never known to the vendor by its id.
        return None if item.id is not None and home_of(item.id) is not None else raw
    sealed = open_seal(item.encrypted_content)
    if sealed is None:
        return raw
    proof = open_signature(sealed.signature)
    own = opened(proof[1], maker) if proof is not None else None
    if proof is None or own is None:
        return None
    fields: Body = {**read_fields(raw), "encrypted_content": own}
    if proof[0]:
        fields["id"] = proof[0]
    else:
        fields.pop("id", None)
    # What was thought aloud is told by the summary; of the rest only the encrypted form goes back.
    fields.pop("content", None)
    return msgspec.Raw(msgspec.json.encode(fields))


def translate(ask: Ask, target: Target, *, stream: bool, maker: str = "") -> bytes:
    """Return the body that asks what ``ask`` asks; ``maker`` as for :func:`ask_same`.

    Raises:
        Unsupported: the wire cannot say it; ``param`` names the caller's field.
        InvalidRequest: a field is wrong, or said twice.
    """
    prompt = ask.prompt
    try:
        refuse_settings(prompt, can=("logprobs", "top_logprobs"))
        if prompt.stop:
            raise Unsupported("This model takes no stop strings; leave out stop.", param="stop")
        if ask.dialect is Dialect.ANTHROPIC:
            prompt = adapt_fields(prompt)
        return msgspec.json.encode(_body(prompt, ask, target.upstream or prompt.model, maker, stream=stream))
    except Unsupported as error:
        error.param = caller_word(error.param or "", ask.dialect) or None
        raise


def _body(prompt: Prompt, ask: Ask, model: str, maker: str, *, stream: bool) -> Body:
    said: Fields = {}
    if isinstance(ask, ResponsesAsk) and ask.said:
        top = read_fields(ask.said)
        said = {name: top[name] for name in _SAID if present(top.get(name, NOTHING))}
    extra = {**said, **{name: value for name, value in prompt.extra.items() if present(value)}}
    box = _own_tools(prompt, ask)
    offers = box.offers if box is not None else {}
    instructions, items = write_input(prompt.messages, offers, maker)
    body: Body = {"model": model}
    if instructions is not None:
        body["instructions"] = instructions
    body["input"] = items
    if box is not None and isinstance(ask, ResponsesAsk):
        top = read_fields(ask.said)
        body |= {name: top[name] for name in _TOOLS if present(top.get(name, NOTHING))}
    else:
        _tools(prompt, ask.dialect, extra, body)
    if prompt.max_tokens is not None:
        body["max_output_tokens"] = prompt.max_tokens
    for name in ("temperature", "top_p", "user"):
        if (value := getattr(prompt, name)) is not None:
            body[name] = value
    _text(prompt.form, extra, body)
    _reasoning(prompt, extra, body)
    include = _include(prompt, extra, model, body)
    if include:
        body["include"] = include
    body["store"] = extra.pop("store", False)
    options = an_object(extra.pop("stream_options", NOTHING))
    if stream:
        body["stream"] = True
        if options is not None and (rest := _without(read_fields(options), "include_usage")):
            body["stream_options"] = rest
    for field, value in settle_fields(extra, known=_SHARED):
        if field in body:
            raise InvalidRequest(f"The field {field} says again what another field says; send one.", param=field)
        body[field] = value
    for field in ("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"):
        # Elsewhere they are hints to be left out.
        if field in extra:
            body[field] = extra[field]
    return body


def _own_tools(prompt: Prompt, ask: Ask) -> Toolbox | None:
    """Return the tools of a caller of this wire as it wrote them; None where the prompt has others."""
    if not isinstance(ask, ResponsesAsk) or not ask.said or not prompt.tools:
        return None
    door, top = read_door(ask.said), read_fields(ask.said)
    # Those that its input brings stand in no list of this request.
    box = read_toolbox(read_list(top["tools"]) if door.tools else (), door)
    same = box.kept(ask.hosted) == prompt.tools and box.choice == prompt.tool_choice
    return box if same else None


def _tools(prompt: Prompt, dialect: Dialect, extra: Fields, body: Body) -> None:
    choice = prompt.tool_choice
    allowed = extra.pop("tool_choice", None)
    if not prompt.tools:
        if choice is not None and choice.kind in ("any", "tool"):
            raise InvalidRequest("A tool_choice needs tools to choose from; send tools.", param="tool_choice")
        return
    body["tools"] = [_tool(tool, dialect, f"tools[{position}]") for position, tool in enumerate(prompt.tools)]
    if choice is not None:
        body["tool_choice"] = _choice(choice, prompt.tools)
    elif allowed is not None:
        body["tool_choice"] = _allowed(allowed)
    if prompt.parallel_tools is not None:
        body["parallel_tool_calls"] = prompt.parallel_tools


def _tool(tool: Tool, dialect: Dialect, at: str) -> object:
    if tool.opaque is not None:
        if dialect is Dialect.ANTHROPIC:
            raise Unsupported("This is a tool of another provider; leave it out.", param=at)
        if dialect is Dialect.OPENAI and tool.name == "custom":
            # Chat has no event for what such a tool is called with here.
            raise Unsupported("This model takes function tools here; describe the input as a JSON Schema.", param=at)
        return tool.opaque
    said: Body = {"type": "function", "name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    said["parameters"] = tool.parameters or _NO_PARAMETERS
    if tool.strict is not None or dialect is not Dialect.RESPONSES:
        said["strict"] = bool(tool.strict)
    if dialect is Dialect.ANTHROPIC:
        return said
    extra: Body = {name: value for name, value in tool.extra.items() if present(value)}
    # What stood inside chat's ``function`` has no level of its own here.
    inner = an_object(extra.pop("function", NOTHING))
    return {**(read_fields(inner) if inner is not None else {}), **extra, **said}


def _choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> object:
    if choice.kind != "tool":
        return "required" if choice.kind == "any" else choice.kind
    if any(tool.name == choice.name and tool.opaque is None for tool in tools):
        return {"type": "function", "name": choice.name}
    if any(tool.name == choice.name for tool in tools):
        return {"type": choice.name}
    raise InvalidRequest("The tool_choice names a tool that is not in tools.", param="tool_choice")


def _allowed(value: msgspec.Raw) -> object:
    """Return chat's choice among some tools as this wire has it, one level flatter; anything else as it is."""
    fields = read_fields(value)
    inner = an_object(fields.get("allowed_tools", NOTHING))
    if bytes(fields.get("type", b"")) != b'"allowed_tools"' or inner is None:
        return value
    said = read_fields(inner)
    tools = [read_fields(tool) for tool in read_list(said.get("tools", b"[]"))]
    flat = [{**_without(tool, "function"), **read_fields(tool.get("function", b"{}"))} for tool in tools]
    return {"type": "allowed_tools", "mode": said.get("mode", "auto"), "tools": flat}


def _text(form: OutputForm | None, extra: Fields, body: Body) -> None:
    text: Body = {}
    if form is not None and form.kind == "schema":
        said: Body = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema}
        for name in ("description", "strict"):
            if (value := getattr(form, name)) is not None:
                said[name] = value
        if form.schema is None:
            param = "response_format.json_schema.schema"
            raise InvalidRequest("A response_format of json_schema needs a schema.", param=param)
        text["format"] = said
    elif form is not None:
        text["format"] = {"type": "json_object" if form.kind == "json" else "text"}
    if "verbosity" in extra:
        text["verbosity"] = extra.pop("verbosity")
    if text:
        body["text"] = text


def _reasoning(prompt: Prompt, extra: Fields, body: Body) -> None:
    given = an_object(extra.pop("reasoning", NOTHING))
    reasoning: Body = dict(read_fields(given)) if given is not None else {}
    if prompt.reasoning_effort is not None:
        reasoning["effort"] = prompt.reasoning_effort
    if reasoning:
        body["reasoning"] = reasoning


def _include(prompt: Prompt, extra: Fields, model: str, body: Body) -> list[Any]:
    given = extra.pop("include", NOTHING)
    include: list[Any] = [msgspec.json.decode(one) for one in read_list(given)] if bytes(given)[:1] == b"[" else []
    wanted = [_ENCRYPTED] if _thinks(body.get("reasoning"), model) else []
    if prompt.logprobs or prompt.top_logprobs:
        wanted.append(_LOGPROBS)
        if prompt.top_logprobs:
            body["top_logprobs"] = prompt.top_logprobs
    return include + [one for one in wanted if one not in include]


def _thinks(reasoning: Mapping[str, object] | None, model: str) -> bool:
    effort = (reasoning or {}).get("effort")
    if isinstance(effort, msgspec.Raw):
        effort = msgspec.json.decode(effort)
    return effort not in (None, "none") or _REASONS.search(model) is not None


def _without(fields: Fields, name: str) -> Fields:
    return {field: value for field, value in fields.items() if field != name}
