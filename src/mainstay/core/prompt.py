"""A request for a conversation, in no one's dialect.

Made by a codec from the caller's body only when something must read or change it, or when the upstream speaks another
dialect; otherwise the caller's own bytes go up. Fields are the union of what the dialects can say; ``None`` means the
caller said nothing. ``extra`` keeps top-level fields that no codec knows, exactly as sent.
"""

from typing import Literal

import msgspec

__all__ = [
    "AudioPart",
    "DocumentPart",
    "ImagePart",
    "Message",
    "OpaquePart",
    "OutputForm",
    "Part",
    "Prompt",
    "Role",
    "SearchResultPart",
    "SourcePart",
    "TextPart",
    "ThinkingPart",
    "Tool",
    "ToolCallPart",
    "ToolChoice",
    "ToolResultPart",
]

Role = Literal["system", "developer", "user", "assistant", "tool"]


class Part(msgspec.Struct, frozen=True, tag_field="part"):
    """Base of everything a message is made of. ``extra`` keeps unknown fields of the part, as sent."""


class TextPart(Part, frozen=True, tag="text"):
    """Text."""

    text: str
    extra: dict[str, msgspec.Raw] = {}


class SourcePart(TextPart, frozen=True, tag="source"):
    """Text that a search found: a ``TextPart`` to every codec, and vouched for by nobody."""


class SearchResultPart(SourcePart, frozen=True, tag="search_result"):
    """One result of a search, which a model may cite: ``texts`` of what is called ``title`` and known as ``source``.

    ``text`` says all of it to codecs that have no form for it (see :meth:`of`). Once a stage has changed ``text``, that
    alone counts: see ``is_whole``. ``sent`` are the texts as a caller of Anthropic's wire sent them.
    """

    source: str = ""
    title: str = ""
    texts: tuple[str, ...] = ()
    #: Whether the model is asked to cite it.
    cited: bool = False
    sent: msgspec.Raw | None = None

    @classmethod
    def of(
        cls,
        source: str,
        title: str,
        texts: tuple[str, ...],
        *,
        cited: bool = False,
        extra: dict[str, msgspec.Raw] | None = None,
        sent: msgspec.Raw | None = None,
    ) -> "SearchResultPart":
        """Return a result with the ``text`` that says it."""
        return cls(_said(source, title, texts), extra or {}, source, title, texts, cited, sent)

    @property
    def is_whole(self) -> bool:
        """Whether ``text`` is still what the rest says."""
        return self.text == _said(self.source, self.title, self.texts)


def _said(source: str, title: str, texts: tuple[str, ...]) -> str:
    head = f"{title} ({source})" if title and source else title or source
    body = "".join(texts)
    return f"{head}\n\n{body}" if head else body


class ImagePart(Part, frozen=True, tag="image"):
    """An image: ``url`` (http or https), or ``data`` (base64) with its ``media_type``."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""
    extra: dict[str, msgspec.Raw] = {}


class DocumentPart(Part, frozen=True, tag="document"):
    """A document: ``url``, ``data`` (base64, or text when ``media_type`` is text/plain), or an upstream's file id.

    One of several texts has them in ``blocks`` as long as they are its ``data``, one behind the other, and ``sent`` is
    its source as a caller of Anthropic's wire sent it.
    """

    url: str = ""
    data: str = ""
    media_type: str = ""
    file_id: str = ""
    name: str = ""
    extra: dict[str, msgspec.Raw] = {}
    blocks: tuple[str, ...] = ()
    sent: msgspec.Raw | None = None


class AudioPart(Part, frozen=True, tag="audio"):
    """Audio: base64 ``data`` in ``format`` (``wav``, ``mp3``)."""

    data: str
    format: str
    extra: dict[str, msgspec.Raw] = {}


class ThinkingPart(Part, frozen=True, tag="thinking"):
    """Reasoning of an earlier turn; ``signature`` and ``redacted`` as in ``events.ThinkingSealed``."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


class ToolCallPart(Part, frozen=True, tag="tool_call"):
    """A call the model made in an earlier turn; ``arguments`` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str
    extra: dict[str, msgspec.Raw] = {}


class ToolResultPart(Part, frozen=True, tag="tool_result"):
    """What a tool answered to call ``id``."""

    id: str
    content: tuple[Part, ...] = ()
    is_error: bool = False
    extra: dict[str, msgspec.Raw] = {}


class OpaquePart(Part, frozen=True, tag="opaque"):
    """A part only ``dialect`` can express, as sent."""

    payload: msgspec.Raw
    dialect: str


class Message(msgspec.Struct, frozen=True):
    """One turn. ``extra`` keeps unknown fields of the message (``name`` is known)."""

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    extra: dict[str, msgspec.Raw] = {}


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call; ``parameters`` is its JSON Schema, as sent."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw | None = None
    strict: bool | None = None
    extra: dict[str, msgspec.Raw] = {}
    #: Set for a vendor's own tool (web search and the like): the whole entry, as sent; ``name`` is then its type.
    opaque: msgspec.Raw | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """``auto``: the model decides; ``none``; ``any``: it must call one; ``tool``: it must call ``name``."""

    kind: Literal["auto", "none", "any", "tool"]
    name: str = ""


class OutputForm(msgspec.Struct, frozen=True):
    """The form the answer must have: plain ``text``, any JSON object (``json``), or ``schema``."""

    kind: Literal["text", "json", "schema"]
    schema: msgspec.Raw | None = None
    name: str = ""
    description: str | None = None
    strict: bool | None = None


class Prompt(msgspec.Struct, frozen=True):
    """Everything a model is asked."""

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    n: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: msgspec.Raw | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    form: OutputForm | None = None
    #: ``none``, ``minimal``, ``low``, ``medium``, ``high`` or a vendor's own word.
    reasoning_effort: str | None = None
    user: str | None = None
    extra: dict[str, msgspec.Raw] = {}
