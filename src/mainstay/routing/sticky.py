"""``choose: sticky``: a conversation stays with one target, whose prompt cache then knows it.

Nothing is remembered: every worker and every gateway works out the same target from the call itself.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import log
from typing import Final

import msgspec

from mainstay.core.call import Call
from mainstay.core.prompt import TextPart
from mainstay.core.target import Target
from mainstay.routing.least_loaded import LeastLoaded, burden
from mainstay.routing.port import Chooser, Loads

__all__ = ["Sticky", "conversation_key"]

#: Headers that name a conversation, the first found counts. They are for us: none of them goes to an upstream.
_HEADERS: Final = (
    b"x-session-id",
    b"x-conversation-id",
    b"session-id",
    b"session_id",
    b"conversation_id",
    b"x-claude-code-session-id",
)
#: The same in ``metadata``.
_METADATA: Final = ("session_id", "conversation_id", "thread_id")
#: What is read of each text: beginnings of this length tell conversations apart.
_HEAD: Final = 16 * 1024
#: Turns looked through for the first user's.
_TURNS: Final = 16
_NOTHING: Final = msgspec.Raw(b"")


class _Fields(msgspec.Struct, gc=False):
    prompt_cache_key: msgspec.Raw = _NOTHING
    conversation: msgspec.Raw = _NOTHING
    metadata: msgspec.Raw = _NOTHING
    user: msgspec.Raw = _NOTHING
    system: msgspec.Raw = _NOTHING
    instructions: msgspec.Raw = _NOTHING
    messages: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING


class _Turn(msgspec.Struct, gc=False):
    role: str = ""
    content: msgspec.Raw = _NOTHING


class _Part(msgspec.Struct, gc=False):
    text: str | None = None


_read_fields = msgspec.json.Decoder(_Fields).decode
_read_pairs = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_turn = msgspec.json.Decoder(_Turn).decode
_read_parts = msgspec.json.Decoder(list[_Part]).decode


class Sticky:
    """Ranks targets for each conversation by weighted rendezvous hashing.

    A target that is added or taken away moves only its own share of conversations. A target that is much more loaded
    than the least loaded one steps back behind the others until it has caught up. A call that belongs to no
    conversation goes to the least loaded target.

    Args:
        loads: what is known of the targets; one that is missing counts as idle.
        inner: orders calls that belong to no conversation; the least loaded first by default.
        lead: outstanding tokens above those of the least loaded target from which on a target steps back (on top
            of ``ratio``), for a target of average weight.
        ratio: the same as a multiple.
    """

    def __init__(
        self, loads: Loads, inner: Chooser | None = None, *, lead: float = 32_768.0, ratio: float = 1.5
    ) -> None:
        self._loads = loads
        self._inner = inner if inner is not None else LeastLoaded(loads)
        self._lead = lead
        self._ratio = ratio

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets``, the conversation's own first."""
        if len(targets) == 1:
            return targets
        key = conversation_key(call)
        if key is None:
            return self._inner.order(call, targets)
        ranked = sorted(targets, key=lambda target: _rank(key, target))
        # Outstanding tokens for a target of average weight.
        mean = sum(target.weight for target in targets) / len(targets)
        burdens = [burden(self._loads.get(target.model), target) * mean for target in ranked]
        most = max(min(burdens) + self._lead, min(burdens) * self._ratio)
        if burdens[0] <= most:
            return ranked
        ready = [target for target, tokens in zip(ranked, burdens, strict=True) if tokens <= most]
        return (*ready, *[target for target, tokens in zip(ranked, burdens, strict=True) if tokens > most])


def conversation_key(call: Call) -> bytes | None:
    """Return what a call has in common with all calls of its conversation, as a hash; None when it is not known.

    The first of: a session header, ``prompt_cache_key``, a session's id in ``metadata``, ``conversation``, ``user``
    (Anthropic's ``metadata.user_id``), or else the system prompt and the first user's turn. Ids are the tenant's own;
    equal texts of two tenants give the same key, since an upstream's cache may serve both.
    """
    for name in _HEADERS:
        if value := call.given.get(name):
            return _own(call, value)
    ask = call.ask
    if not ask.raw:
        return _prompt_key(call)
    try:
        fields = _read_fields(ask.raw)
        pairs = _read_pairs(fields.metadata) if bytes(fields.metadata)[:1] == b"{" else {}
        ids = (
            fields.prompt_cache_key,
            *[pairs.get(name, _NOTHING) for name in _METADATA],
            fields.conversation,
            fields.user,
            pairs.get("user_id", _NOTHING),
        )
        for value in map(bytes, ids):
            if value not in (b"", b"null", b'""'):
                return _own(call, value)
        return _opening_key(fields)
    except msgspec.DecodeError:
        return None


def _own(call: Call, value: bytes) -> bytes:
    return _digest((b"id", (call.caller.team or call.caller.key).encode(), value))


def _opening_key(fields: _Fields) -> bytes | None:
    said = [_text(bytes(fields.system)), _text(bytes(fields.instructions))]
    turns = bytes(fields.messages) or bytes(fields.input)
    if turns[:1] != b"[":
        return None
    for raw in _read_list(turns)[:_TURNS]:
        turn = _read_turn(raw)
        said.append(_text(bytes(turn.content)))
        if turn.role == "user":
            return _digest(said)
    return None


def _prompt_key(call: Call) -> bytes | None:
    prompt = call.ask.prompt
    if prompt.user:
        return _own(call, prompt.user.encode())
    said: list[bytes] = []
    for message in prompt.messages[:_TURNS]:
        said.append("".join(part.text for part in message.parts if isinstance(part, TextPart)).encode())
        if message.role == "user":
            return _digest(said)
    return None


def _text(content: bytes) -> bytes:
    """Return the text of a turn's content, whatever else (marks of a cache, say) its parts carry."""
    if content[:1] != b"[":
        return content
    texts = [part.text for part in _read_parts(content) if part.text]
    return "".join(texts).encode() if texts else content


def _digest(pieces: Sequence[bytes]) -> bytes:
    found = blake2b(digest_size=16)
    for piece in pieces:
        found.update(b"%d:" % len(piece))
        found.update(piece[:_HEAD])
    return found.digest()


def _rank(key: bytes, target: Target) -> float:
    """Return a target's place for a key: the smaller the better; the smallest of all with probability by weight.

    Logarithmic weights as in the "weighted distributed hash tables" of Schindelhauer and Schomaker (2005).
    """
    drawn = int.from_bytes(blake2b(key + target.model.encode(), digest_size=8).digest()) >> 12
    # 52 bits and a half: never 0 and never 1, whose logarithms would rank without regard to weight.
    return -log((drawn + 0.5) / 2.0**52) / target.weight
