"""What callers of Anthropic's wire say and OpenAI's has no field for: translated, or refused with the field named.

Nothing that could change the answer is lost in silence:

* ``thinking`` within a budget becomes ``reasoning_effort``: below 4096 tokens ``low``, below 16384 ``medium``, else
  ``high``; an effort given beside it counts. ``adaptive`` leaves it to the model, and ``disabled`` is what leaving it
  out means: neither is sent. The effort ``max`` is ``xhigh``.
* ``service_tier: standard_only`` is ``default``.
* A ``user_id`` longer than the 64 signs that OpenAI takes is replaced by its digest, the same one each time.
* ``citations`` of a document are left out, and the answer says that it has none (see ``anthropic.citations``).
* ``context`` of a document becomes text before it; a document without a title gets a name, which OpenAI demands.
* Hints that cannot change the answer are left out: ``cache_control``, ``context_management``, ``diagnostics``.
* What other fields of that wire ask for is refused unless they say nothing: null, or the default.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from mainstay.core.errors import Unsupported
from mainstay.core.prompt import DocumentPart, Message, OpaquePart, Part, Prompt, TextPart, ToolResultPart
from mainstay.providers.openai.wire import Fields, read_fields
from mainstay.providers.places import message_at, part_at

__all__ = ["adapt_fields", "adapt_parts"]

_HINTS = frozenset({"cache_control", "context_management", "diagnostics"})
#: Fields that only Anthropic's models know, with the value besides null that changes nothing.
_THEIRS: dict[str, object] = {
    "container": None,
    "mcp_servers": [],
    "inference_geo": "global",
    "speed": "standard",
    "user_profile_id": None,
    "output_config": {},
    "metadata": {},
}
_LOW, _MEDIUM = 4096, 16384
_LONGEST_USER = 64


def adapt_fields(prompt: Prompt) -> Prompt:
    """Return ``prompt`` with its top-level fields as OpenAI's wire has them.

    Raises:
        Unsupported: a field asks for what only Anthropic's models do; ``param`` names it.
    """
    extra: Fields = {}
    effort = "xhigh" if prompt.reasoning_effort == "max" else prompt.reasoning_effort
    for field, value in prompt.extra.items():
        if field in _HINTS:
            continue
        if field == "thinking":
            effort = effort or _effort(value)
        elif field == "service_tier" and bytes(value) == b'"standard_only"':
            extra[field] = msgspec.Raw(b'"default"')
        elif field not in _THEIRS:
            extra[field] = value
        elif (said := msgspec.json.decode(value)) is not None and said != _THEIRS[field]:
            raise _refusal(field)
    user = prompt.user
    if user is not None and len(user) > _LONGEST_USER:
        user = hashlib.blake2s(user.encode("utf-8", "replace")).hexdigest()
    return msgspec.structs.replace(prompt, reasoning_effort=effort, user=user, extra=extra)


def adapt_parts(messages: Sequence[Message]) -> list[Message]:
    """Return the turns with every part one that OpenAI's wire can say.

    Raises:
        Unsupported: it cannot say a part; ``param`` is its place (see ``places``).
    """
    return [
        msgspec.structs.replace(message, parts=_adapt(message.parts, message_at(position)))
        for position, message in enumerate(messages)
    ]


def _adapt(parts: Sequence[Part], path: str) -> tuple[Part, ...]:
    found: list[Part] = []
    for position, part in enumerate(parts):
        at = part_at(path, position)
        if isinstance(part, OpaquePart) and part.dialect != "openai":
            raise Unsupported(
                f"'{at}' is of a kind that only another provider's models understand; leave it out.", param=at
            )
        if isinstance(part, DocumentPart):
            found += _document(part, at)
        elif isinstance(part, ToolResultPart):
            found.append(msgspec.structs.replace(part, content=_adapt(part.content, at)))
        else:
            found.append(part)
    return tuple(found)


def _document(part: DocumentPart, at: str) -> list[Part]:
    if part.url:
        raise Unsupported(f"'{at}' is a document by URL, which this model cannot fetch; send its data.", param=at)
    if not part.name and part.data:
        name = "document.txt" if part.media_type == "text/plain" else "document.pdf"
        part = msgspec.structs.replace(part, name=name)
    context = part.extra.get("context")
    if context is None or bytes(context)[:1] != b'"':
        return [part]
    return [TextPart(msgspec.json.decode(context, type=str)), part]


def _effort(thinking: msgspec.Raw) -> str | None:
    fields = read_fields(thinking) if bytes(thinking) != b"null" else {}
    kind = bytes(fields.get("type", b""))
    if kind in (b"", b'"adaptive"', b'"disabled"'):
        return None
    if kind != b'"enabled"':
        raise _refusal("thinking")
    budget = msgspec.json.decode(fields.get("budget_tokens", b"0"))
    tokens = budget if isinstance(budget, int) else 0
    return "low" if tokens < _LOW else "medium" if tokens < _MEDIUM else "high"


def _refusal(field: str) -> Unsupported:
    return Unsupported(
        f"The field '{field}' asks for what only another provider's models do; leave it out.", param=field
    )
