"""What two requests have in common whose answers may stand for each other.

A key covers everything that shapes an answer: who may share it, the route and how it is configured, what the caller
wished, and the request in no one's dialect, so that one wire finds what another filled. It does not cover what only
shapes how the answer is sent (``stream``) or what it is filed under (``metadata``). For a route with knowledge it also
covers the passages that are found now: a key made after an edit is another one.
"""

from hashlib import blake2b
from typing import Any, Final

import msgspec

from mainstay.caching.config import RouteCacheConfig
from mainstay.caching.port import Asked
from mainstay.core.call import Ask, Call
from mainstay.core.events import Dialect
from mainstay.core.prompt import DocumentPart, ImagePart, Prompt
from mainstay.core.target import Operation, Target

__all__ = ["Rule", "is_keepable", "key_of", "says_one_thing"]

#: Part of every key: raised when keys or entries are made otherwise, so that none is read wrongly.
_FORMAT: Final = b"1"
_TALKS: Final = frozenset({Operation.CHAT, Operation.COMPLETION})
#: Fields of a request that change how it is sent or filed, and no word of its answer.
_IDLE: Final = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "safety_identifier",
        "client_metadata",
        "stream_options",
        "store",
        "cache_control",
        "include",
    }
)
#: Fields that have the vendor look something up, do something, or speak: their answers are of the moment.
_LIVE: Final = frozenset(
    {
        "web_search_options",
        "mcp_servers",
        "plugins",
        "container",
        "audio",
        "modalities",
        "background",
        "conversation",
        "previous_response_id",
        "search_parameters",
        "data_sources",
        "documents",
        "connectors",
    }
)
#: Headers that say how a request is sent, by whose library and in which dress; betas are part of a key.
_SENT_ONLY: Final = (b"x-stainless-", b"idempotency-key", b"anthropic-version")
#: Of a response: which parts of it are told, and how.
_RESPONSES_OWN: Final = (
    "include",
    "reasoning",
    "text",
    "truncation",
    "max_tool_calls",
    "access_programs",
    "context_management",
)
_HOLE: Final = "\0"

_decode = msgspec.json.Decoder().decode
_top = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode


class Rule(msgspec.Struct, frozen=True):
    """What the cache of one route goes by.

    ``shape`` is a hash of all in the configuration that shapes the route's answers; ``targets`` are the models that it
    may ask.
    """

    route: str
    config: RouteCacheConfig
    shape: bytes
    targets: tuple[Target, ...] = ()


def is_keepable(call: Call, rule: Rule) -> bool:
    """Whether an answer to this request could be given again: it asks for one answer in words, made of what it says.

    Not so where the vendor is to run tools of its own or to fetch something, and where a rail has found something in
    the request: what was hidden from the model must not come to another caller.
    """
    ask = call.ask
    if ask.operation not in _TALKS or any(verdict.outcome != "passed" for verdict in call.record.verdicts):
        return False
    prompt = ask.prompt
    if prompt.n not in (None, 1):
        return False
    hottest = rule.config.max_temperature
    if hottest is not None and (1.0 if prompt.temperature is None else prompt.temperature) > hottest:
        return False
    extra = prompt.extra
    if not _LIVE.isdisjoint(extra) or bytes(extra.get("store", b"")) == b"true":
        return False
    if any(tool.opaque is not None for tool in prompt.tools):
        return False
    # What an address leads to may be another thing tomorrow.
    return not any(
        isinstance(part, ImagePart | DocumentPart) and part.url for message in prompt.messages for part in message.parts
    )


def key_of(call: Call, rule: Rule, similarity: float = 0.0) -> Asked:
    """Return a request as the cache knows it. ``call.found`` has its sources, where the route has knowledge."""
    fields = _canonical(call.ask.prompt, across_users=rule.config.across_users)
    fields["own"] = _own(call.ask)
    text = _take_text(fields)
    partition = blake2b(digest_size=32)
    for piece in (_FORMAT, *_frame(call, rule), _sorted(fields)):
        _feed(partition, piece)
    key = partition.copy()
    _feed(key, text.encode("utf-8", "surrogatepass"))
    if (found := call.found) is not None:
        _feed(key, b"%b %b" % (found.pin.base.encode(), found.pin.version.encode()))
        for source in found.sources:
            _feed(key, f"{source.passage} {source.revision} {source.sha256}".encode())
    owner = (call.caller.organisation, call.caller.team)
    return Asked(key.digest(), partition.digest(), text, rule.route, similarity, owner)


def says_one_thing(raw: bytes) -> bool:
    """Whether no field of a request is there twice. Of two, an upstream may read the one that the key does not cover.

    Takes some 30 µs per KB: for an answer that is to be kept, after it has gone.
    """
    import json

    try:
        json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError


def _frame(call: Call, rule: Rule) -> list[bytes]:
    """Return what stands around the request itself."""
    forbids = call.forbids
    permitted = [target.model for target in rule.targets if forbids is None or forbids(target) is None]
    headers = sorted(pair for pair in call.headers if not pair[0].startswith(_SENT_ONLY))
    return [
        call.ask.operation.encode(),
        _sharers(call, rule.config.scope),
        rule.route.encode(),
        rule.shape,
        call.wished_model.encode(),
        call.wished_prompt.encode(),
        "\0".join(permitted).encode(),
        b"\0".join([b"%b:%b" % pair for pair in headers]),
    ]


def _sharers(call: Call, scope: str) -> bytes:
    """Return who may get each other's answers; who is not in a wider circle is alone with their key."""
    caller = call.caller
    if scope == "all":
        return b"all"
    if scope == "organisation" and caller.organisation:
        return f"organisation {caller.organisation}".encode()
    if scope != "key" and caller.team:
        return f"team {caller.organisation}\0{caller.team}".encode()
    return f"key {caller.key}".encode()


def _own(ask: Ask) -> dict[str, Any]:
    """Return fields of a request that no other dialect has and a prompt does not say, but an answer does."""
    if ask.dialect is not Dialect.RESPONSES:
        return {}
    raw = ask.raw or (ask.origin.raw if ask.origin is not None else b"{}")
    found = _top(raw)
    return {name: _decode(found[name]) for name in _RESPONSES_OWN if bytes(found.get(name, b"null")) != b"null"}


def _canonical(prompt: Prompt, *, across_users: bool) -> dict[str, Any]:
    """Return the fields of a prompt that shape its answer, equal for prompts that mean the same."""
    fields: dict[str, Any] = _decode(msgspec.json.encode(prompt))
    for name in ("model", "stream", "include_usage", *(("user",) if across_users else ())):
        del fields[name]
    fields["extra"] = {name: value for name, value in fields["extra"].items() if name not in _IDLE}
    for message in fields["messages"]:
        _strip(message)
    # The order of properties shapes what a model writes, that of tools and of stop strings does not.
    fields["tools"] = sorted((_tool(tool) for tool in fields["tools"]), key=_sorted)
    fields["stop"] = sorted(fields["stop"])
    if fields["form"] is not None:
        fields["form"]["schema"] = _encode(fields["form"]["schema"]).decode()
    return fields


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    tool["parameters"] = _encode(tool["parameters"]).decode()
    tool["extra"].pop("cache_control", None)
    return tool


def _strip(piece: dict[str, Any]) -> None:
    """Take marks for a provider's prompt cache out of a message or part and all within."""
    extra = piece.get("extra")
    if extra:
        extra.pop("cache_control", None)
    for inner in (*(piece.get("parts") or ()), *(piece.get("content") or ())):
        if isinstance(inner, dict):
            _strip(inner)


def _take_text(fields: dict[str, Any]) -> str:
    """Take the last words of the user out of a prompt's fields, leaving a hole; "" where the last turn is no text."""
    last = fields["messages"][-1] if fields["messages"] else None
    if last is None or last["role"] != "user" or len(last["parts"]) != 1:
        return ""
    part = last["parts"][0]
    if part["part"] != "text":
        return ""
    text: str = part["text"]
    part["text"] = _HOLE
    return text


def _feed(into: blake2b, piece: bytes) -> None:
    into.update(b"%d:" % len(piece))
    into.update(piece)
