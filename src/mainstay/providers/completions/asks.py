"""What a caller of OpenAI's legacy completions asks: read at the door, and said as a conversation where it must be.

Towards a model that has no completions a prompt becomes one message of the user, and each prompt of a list a
conversation of its own. What a conversation cannot say (``suffix``, ``echo``, ``logprobs``, a ``best_of`` that draws
more than it gives, prompts made of tokens) is refused, and nothing of it is left out.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.target import Feature, Operation
from mainstay.providers.openai import scan as scan_prompt
from mainstay.providers.openai.door import explain, read_body
from mainstay.providers.openai.wire import read_fields

__all__ = ["CompletionAsked", "as_chat", "read_ask", "refuse_untold", "singles"]

#: The fields that ask for a feature.
_NAMES = {
    Feature.LOGPROBS: "logprobs",
    Feature.CHOICES: "n",
    Feature.SEED: "seed",
    Feature.LOGIT_BIAS: "logit_bias",
}
_FIELDS = ("echo", "logprobs", "best_of", "suffix")


class CompletionAsked(msgspec.Struct, frozen=True):
    """The prompts of a request, each a text or a list of tokens, and how many choices each is to have."""

    prompts: tuple[str | list[int], ...]
    choices: int


class _Options(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Door(msgspec.Struct, gc=False):
    model: str
    prompt: str | list[Any]
    stream: bool | None = None
    stream_options: _Options | None = None
    n: int | None = None
    best_of: int | None = None
    echo: bool | None = None
    logprobs: int | bool | None = None
    suffix: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None


_door = msgspec.json.Decoder(_Door)
_KNOWN = frozenset(_Door.__struct_fields__) - {"stream_options"}


def read_ask(body: bytes) -> Ask:
    """Read the body of ``POST /v1/completions``.

    Raises:
        InvalidRequest: it is not what the wire allows; ``param`` names the field.
    """
    door = read_body(_door, body, "")
    if not door.model:
        raise InvalidRequest("'model' is empty; name a model or a route.", param="model")
    if door.n is not None and door.n < 1:
        raise InvalidRequest("'n' must be 1 or more.", param="n")
    options = door.stream_options
    return Ask(
        body,
        Dialect.COMPLETIONS,
        door.model,
        door.stream is True,
        options is not None and options.include_usage is True,
        _read_prompt,
        _scan,
        Operation.COMPLETION,
        locate=_locate,
        place=_place,
        user=door.user or "",
        found=CompletionAsked(_prompts(door.prompt), door.n or 1),
        again=read_ask,
    )


def _prompts(given: str | list[Any]) -> tuple[str | list[int], ...]:
    if isinstance(given, str):
        return (given,)
    if not given:
        raise InvalidRequest("'prompt' is empty; send at least one.", param="prompt")
    try:
        if isinstance(given[0], int):
            return (msgspec.convert(given, list[int]),)
        return tuple(msgspec.convert(given, list[str] if isinstance(given[0], str) else list[list[int]]))
    except msgspec.ValidationError as error:
        raise explain(str(error), "", "prompt") from None


def _read_prompt(body: bytes) -> Prompt:
    """Return a request as a conversation, with the texts of all its prompts; what that cannot say is in ``extra``."""
    door = _door.decode(body)
    fields = read_fields(body)
    extra = {name: value for name, value in fields.items() if name not in _KNOWN}
    extra.update((name, fields[name]) for name in _FIELDS if name in fields)
    stop = () if door.stop is None else (door.stop,) if isinstance(door.stop, str) else tuple(door.stop)
    texts = [text if isinstance(text, str) else "" for text in _prompts(door.prompt)]
    return Prompt(
        door.model,
        tuple(Message("user", (TextPart(text),)) for text in texts),
        stream=door.stream is True,
        max_tokens=door.max_tokens,
        temperature=door.temperature,
        top_p=door.top_p,
        stop=stop,
        n=door.n,
        seed=door.seed,
        frequency_penalty=door.frequency_penalty,
        presence_penalty=door.presence_penalty,
        logit_bias=fields.get("logit_bias") if door.logit_bias is not None else None,
        user=door.user,
        extra=extra,
    )


def _scan(ask: Ask) -> frozenset[Feature]:
    return scan_prompt(ask) | ({Feature.LOGPROBS} if ask.raw and _door.decode(ask.raw).logprobs else frozenset())


def _locate(ask: Ask, feature: Feature) -> str | None:
    if feature is Feature.PENALTIES:
        return "frequency_penalty" if ask.prompt.frequency_penalty else "presence_penalty"
    return _NAMES.get(feature)


def _place(ask: Ask, message: int, parts: tuple[int, ...], field: str) -> str:
    return "prompt"


def singles(ask: Ask) -> Sequence[Ask]:
    """Return a request for each prompt of ``ask``; itself where it has one.

    Raises:
        Unsupported: it has several, and a route's own words around them.
    """
    asked = ask.found
    if not isinstance(asked, CompletionAsked) or len(asked.prompts) == 1:
        return (ask,)
    if not ask.raw:
        raise Unsupported("This route takes one prompt at a time; send one request for each.", param="prompt")
    fields: dict[str, Any] = dict(read_fields(ask.raw))
    return [
        replace(
            ask,
            raw=msgspec.json.encode({**fields, "prompt": prompt}),
            found=replace(asked, prompts=(prompt,)),
            _prompt=None,
            _features=None,
        )
        for prompt in asked.prompts
    ]


def refuse_untold(ask: Ask, model: str) -> None:
    """Refuse what only a model with completions can do.

    Raises:
        Unsupported: ``param`` names the field.
    """
    extra = ask.prompt.extra
    for name in _FIELDS:
        said = bytes(extra.get(name, b"null"))
        harmless = (b"null", b"false", b'""') if name != "best_of" else (b"null", b"%d" % (ask.prompt.n or 1))
        # No probabilities and the probabilities of none are not the same.
        if said not in harmless:
            raise Unsupported(
                f"The model '{model}' answers completions by conversation, which cannot say '{name}';"
                " leave it out or choose another model.",
                param=name,
            )
    if isinstance(ask.found, CompletionAsked) and any(not isinstance(prompt, str) for prompt in ask.found.prompts):
        raise Unsupported(
            f"The model '{model}' takes no tokens as a prompt; send text or choose another model.", param="prompt"
        )


def as_chat(ask: Ask, model: str) -> Ask:
    """Return a request with one prompt as a conversation.

    Raises:
        Unsupported: a conversation cannot say it; ``param`` names the field.
    """
    refuse_untold(ask, model)
    prompt = ask.prompt
    extra = {name: value for name, value in prompt.extra.items() if name not in _FIELDS}
    chat = replace(ask, dialect=Dialect.OPENAI, operation=Operation.CHAT, found=None)
    # What is refused of it is refused to the caller, in the caller's words.
    return replace(chat.asking(replace(prompt, extra=extra)), origin=ask.origin or ask)
