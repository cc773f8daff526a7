"""What is known of a vendor, as one validated row: where it is, how it wants its key, and where its wire differs.

The same form for the rows that come with Mainstay and for those that users write under ``vendors:``. Only data and
its checks; what the fields do is in ``quirks`` and ``codec``, where rows come from is in ``catalogue``.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mainstay.core.config import HeaderName, Section, check_url
from mainstay.core.target import Feature, Operation

__all__ = ["MODEL", "OFFERED", "ErrorMeaning", "TaskRow", "VendorRow", "Wire", "placeholders"]

Wire = Literal["openai", "anthropic", "responses", "gemini", "vertex", "cohere", "bedrock"]
ErrorMeaning = Literal["context", "filter", "quota", "credential", "rate", "overloaded", "failed", "refused"]

#: The placeholder of a path that stands for the model's name.
MODEL = "model"
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_STEP = r"[A-Za-z_][A-Za-z0-9_-]*(?:\[\])?"
_PLACE = re.compile(rf"{_STEP}(?:\.{_STEP})*")
_REFUSAL = re.compile(rf"{_STEP}(?:\.{_STEP})*(?:=[A-Za-z0-9_.-]+)?")
#: What a vendor of each wire may have besides conversations.
OFFERED = {
    "openai": frozenset(Operation) - {Operation.CHAT, Operation.COUNT},
    "cohere": frozenset({Operation.EMBEDDING, Operation.RERANK}),
    "gemini": frozenset({Operation.EMBEDDING}),
}
#: What only the wire of OpenAI's chat completions has.
_CHAT_ONLY = ("limit", "stream_options", "tool_id_length", "usage", "reasoning", "finish_reasons", "base64")


def placeholders(template: str) -> Iterator[str]:
    """Yield the names that stand in braces in ``template``."""
    yield from _PLACEHOLDER.findall(template)


def _template(value: str) -> str:
    filled = _PLACEHOLDER.sub("x", value)
    if "{" in filled or "}" in filled:
        raise ValueError("holds a brace that is no placeholder; a placeholder is {lower_case}")
    check_url(filled)
    return value.rstrip("/")


def _path(value: str) -> str:
    filled = _PLACEHOLDER.sub("x", value)
    if not filled.startswith("/") or any(c in filled for c in "{}# \\") or not filled.isprintable():
        raise ValueError("must begin with '/' and hold neither spaces nor '#'; a placeholder is {lower_case}")
    return value


def _place(value: str) -> str:
    if not _PLACE.fullmatch(value):
        raise ValueError("must be a path of fields: usage, x.usage or choices[].usage")
    return value


def _refusal(value: str) -> str:
    if not _REFUSAL.fullmatch(value):
        raise ValueError("must be a path of fields, or one with a value: user, messages[].name or tool_choice=required")
    return value


_Place = Annotated[str, AfterValidator(_place)]
_Word = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class TaskRow(Section):
    """Where one thing that a vendor has besides conversations differs."""

    rejects: tuple[Annotated[str, AfterValidator(_refusal)], ...] = ()
    """Fields of its requests that are refused, or taken and ignored; see ``vendors.NAME.rejects``. Of a form, its
    parts."""

    renames: dict[_Word, _Word] = {}
    """Fields of its requests that are called otherwise: our name to the vendor's."""

    drops_null: bool = False
    """Whether fields that are null are left out of its requests, because they are refused."""


class VendorRow(Section):
    """One vendor, or one server that people run themselves."""

    title: str = Field(default="", max_length=100)
    """What people call it."""

    wire: Wire = "openai"
    """The wire it speaks."""

    base_url: Annotated[str, AfterValidator(_template)]
    """Address that the wire's paths are added to. A word in braces is one of ``parameters``."""

    path: Annotated[str, AfterValidator(_path)] | None = None
    """Path in place of the wire's own, also with a query. ``{model}`` is the model's name, any other word in braces one
    of ``parameters``."""

    parameters: dict[_Word, str] = {}
    """Words in braces of ``base_url`` and ``path``, with their values unless a provider gives others. An empty value
    must be given there."""

    talks: bool = True
    """Whether it has conversations."""

    offers: frozenset[Operation] = frozenset()
    """What it has besides conversations, at the wire's own paths: ``embeddings``, ``rerank`` and so on. Completions
    that are not among them are conversations."""

    paths: dict[Operation, Annotated[str, AfterValidator(_path)]] = {}
    """What it has at paths of its own, which are written like ``path``."""

    base64: bool = True
    """Whether it takes ``encoding_format: base64`` for embeddings. If not it is asked for numbers, and the caller gets
    base64 all the same."""

    auth: Literal["wire", "bearer", "header", "none"] = "wire"
    """How the key is sent: as the wire has it, as a bearer token, alone in the header named by ``key_header``, or
    never."""

    key_header: HeaderName | None = None
    """The header that carries the key when ``auth`` is ``header``."""

    key: Literal["required", "optional"] = "required"
    """Whether there is no answer without a key."""

    environment: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]*)?$")
    """The variable that usually holds the key. Mainstay only names it in messages; it is not read."""

    headers: dict[HeaderName, str] = {}
    """Headers that every request needs beside the key. No secrets."""

    limit: Literal["either", "max_tokens", "max_completion_tokens"] = "either"
    """The name it knows for the limit of an answer's tokens; the other is renamed to it."""

    rejects: tuple[Annotated[str, AfterValidator(_refusal)], ...] = ()
    """Fields of a conversation that it refuses, or takes and ignores: a request that has one is answered 400 before it
    is sent. ``user`` is a field, ``messages[].name`` one of every message, ``tool_choice=required`` a field with that
    value only. A field that is null counts as absent."""

    renames: dict[_Word, _Word] = {}
    """Fields of a conversation that it calls otherwise: our name to its name."""

    drops_null: bool = False
    """Whether fields that are null are left out of a conversation's requests, because it refuses them."""

    tasks: dict[Operation, TaskRow] = {}
    """Where what it offers besides conversations differs: the same for ``embeddings``, ``text_completion`` and so on.
    Its ``errors`` are those of all it has."""

    stream_options: bool = True
    """Whether it takes ``stream_options``. If not it reports the usage of a stream unasked."""

    tool_id_length: int | None = Field(default=None, ge=8, le=32)
    """Letters and digits that the id of a tool call must have, where it is particular. Ids of another form, from
    another model's turn, are replaced, the same one each time."""

    usage: tuple[_Place, ...] = ()
    """Where an answer may report its usage instead of ``usage``."""

    reasoning: Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")] = ""
    """The field of a message that holds its reasoning, if neither ``reasoning_content`` nor ``reasoning``."""

    finish_reasons: dict[str, Literal["stop", "length", "tool_calls", "content_filter", "error"]] = {}
    """Its own words for why an answer ended, and what they mean; ``error`` is an answer that was given up."""

    error_code: _Place | None = None
    """Where an answer with status 200 may hold the code of an error; 0 is none."""

    errors: dict[str, ErrorMeaning] = {}
    """What its own codes of errors mean."""

    can: frozenset[Feature] = frozenset()
    """Features that at least one of its models has and that its wire carries. All others count as lacking."""

    telemetry_name: str = Field(default="", max_length=100)
    """Its name in metrics and records; absent, the name of the row."""

    docs: str = Field(default="", max_length=300)
    """Where its own documentation is."""

    notes: str = Field(default="", max_length=1000)
    """What else is good to know."""

    @model_validator(mode="after")
    def _agree(self) -> "VendorRow":
        used = {*placeholders(self.base_url), *placeholders(self.path or "")}
        for path in self.paths.values():
            used |= {*placeholders(path)}
        if MODEL in placeholders(self.base_url) or MODEL in self.parameters:
            raise ValueError("has '{model}' in base_url or parameters; it may stand in path only")
        if missing := sorted(used - {MODEL} - set(self.parameters)):
            raise ValueError(f"has no parameter for '{{{missing[0]}}}'; add it to parameters")
        if unused := sorted(set(self.parameters) - used):
            raise ValueError(f"has the parameter '{unused[0]}', which stands neither in base_url nor in a path")
        if (self.auth == "header") != (self.key_header is not None):
            raise ValueError("must name key_header exactly when auth is 'header'")
        # On the wire of chat completions these two names say more than who it is.
        taken = ("openai", "llamacpp") if self.wire == "openai" else ("llamacpp",)
        if self.telemetry_name in taken:
            raise ValueError(f"must not have the telemetry_name '{self.telemetry_name}', which is taken")
        unknown = sorted({*self.offers, *self.paths} - set(OFFERED.get(self.wire, ())))
        if unknown:
            raise ValueError(f"offers '{unknown[0]}', which the wire '{self.wire}' does not have here")
        if others := sorted({*self.tasks} - {*self.offers, *self.paths}):
            raise ValueError(f"has differences of '{others[0]}', which it does not offer")
        if self.wire != "openai":
            for field in _CHAT_ONLY:
                if getattr(self, field) != type(self).model_fields[field].default:
                    raise ValueError(f"has '{field}', which only the wire 'openai' knows")
        return self
