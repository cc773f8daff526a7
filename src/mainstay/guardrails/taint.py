"""What a model may do once it has read what nobody vouches for: whether a tool that sends data out may be called.

The rule against the lethal mix of private data, foreign text and a way out: after untrusted content, a tool that sends
needs a row that allows it. What is tainted follows from the prompt alone, so it survives turns, models and nodes. Pure
decisions over values; rows come from the configuration.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import msgspec

from mainstay.core.prompt import DocumentPart, OpaquePart, Prompt, ToolResultPart
from mainstay.guardrails.provenance import UNTRUSTED, Path, Segment, name_calls, segments

__all__ = [
    "SendRule",
    "Taint",
    "ToolRules",
    "Verdict",
    "allowed",
    "by_arguments",
    "destinations",
    "is_foreign",
    "taint_of",
    "vouched",
]

#: What a vendor's own wire calls that which a search, a page, a server of tools or a program of its own has brought.
_FOREIGN: Final = re.compile(
    rb'search|fetch|mcp|tool_result|interpreter|execution|grounding|url_context|"document"'
    rb'|(?:citation|annotation)s"\s*:\s*\[\s*[^\s\]]'
)

#: Whatever may be the name of a host, or an address of one: taken too widely rather than too narrowly.
_HOST: Final = re.compile(
    r"(?:[\w-]{1,63}\.){1,12}[\w-]{1,63}|\[[0-9a-fA-F:.]{2,45}\]|(?<=//)[\w-]{1,63}|(?<=@)[\w-]{1,63}"
)


class Taint(msgspec.Struct, frozen=True):
    """Where what nobody vouches for came from: ``retrieved``, or names of tools (``tool`` where that is unknown)."""

    sources: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.sources)


class SendRule(msgspec.Struct, frozen=True):
    """A row: what happens when ``tool`` is called after something from ``after``; names or patterns (``mail_*``).

    It allows only if all sources are of ``after``, and stops if one is. With ``to`` it holds only where the arguments
    name a host, and none but such (``*.shop.example``).
    """

    tool: str
    do: Literal["allow", "refuse", "human"] = "allow"
    after: tuple[str, ...] = ("*",)
    to: tuple[str, ...] = ()


class ToolRules(msgspec.Struct, frozen=True):
    """All rows: whether a tool sends data out, by name or pattern (the first that fits counts; one that no row names
    does unless ``unknown`` says otherwise), and what is allowed nevertheless, the first that fits."""

    sends: Mapping[str, bool] = {}
    rules: tuple[SendRule, ...] = ()
    unknown: bool = True
    #: Without a rule that fits.
    otherwise: Literal["refuse", "human", "allow"] = "refuse"


class Verdict(msgspec.Struct, frozen=True):
    """What is to be done with a call, and why in one sentence; ``rule`` is the row that said so, -1 for none."""

    do: Literal["allow", "refuse", "human"]
    reason: str = ""
    rule: int = -1


def taint_of(
    prompt: Prompt,
    *,
    retrieved: Collection[Path] = (),
    untrusted_tools: Collection[str] = (),
    trusted: Collection[str] = (),
) -> Taint:
    """Return what taints ``prompt``; tools that ``trusted`` names (patterns) do not, nor, if it does, ``retrieved``."""
    found = segments(prompt, retrieved=retrieved, untrusted_tools=untrusted_tools)
    sources = {_source(one) for one in found if one.trust in UNTRUSTED}
    sources.update(_unread(prompt))
    return Taint(frozenset(one for one in sources if not vouched(one, trusted)))


def vouched(source: str, trusted: Collection[str]) -> bool:
    """Return whether ``trusted`` names a source, itself or by a pattern."""
    return _fits(source, trusted)


def is_foreign(payload: bytes) -> bool:
    """Return whether what only a vendor's own wire can say (JSON) may hold what somebody else wrote."""
    return _FOREIGN.search(payload, 0, 4096) is not None


def _unread(prompt: Prompt) -> Iterator[str]:
    """Yield sources of what is no text here, and is one to a model: files, images that tools gave, searches."""
    names: dict[str, str] = {}
    for message in prompt.messages:
        name_calls(message, names)
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                yield names.get(part.id, "") or message.name or "tool"
            elif isinstance(part, DocumentPart) or (isinstance(part, OpaquePart) and is_foreign(bytes(part.payload))):
                yield "retrieved"


def by_arguments(tool: str, taint: Taint, rules: ToolRules) -> bool:
    """Return whether a call's arguments count for what :func:`allowed` says of it."""
    if not taint or not _sends(tool, rules):
        return False
    for rule in rules.rules:
        if _holds(rule, tool, taint):
            return bool(rule.to) or rule.do == "human"
    return rules.otherwise == "human"


def allowed(tool: str, taint: Taint, rules: ToolRules, arguments: str = "") -> Verdict:
    """Return what is to be done with a call of ``tool`` with ``arguments`` (JSON as the model wrote it)."""
    if not taint or not _sends(tool, rules):
        return Verdict("allow")
    told = ", ".join(sorted(taint.sources))
    for number, rule in enumerate(rules.rules):
        if not _holds(rule, tool, taint):
            continue
        if rule.to:
            hosts = destinations(arguments)
            if not hosts or not all(_fits(host, rule.to) for host in hosts):
                continue
        return Verdict(
            rule.do, "" if rule.do == "allow" else f"A rule stops '{tool}' after content from {told}.", number
        )
    if rules.otherwise == "allow":
        return Verdict("allow")
    return Verdict(rules.otherwise, f"'{tool}' sends data out, and no rule allows that after content from {told}.")


def destinations(arguments: str) -> frozenset[str]:
    """Return whatever in ``arguments`` may name a host, in small letters: of URLs, of addresses of people, or bare."""
    try:
        # Pairs, since a field may be there twice, and which of them counts is for who reads it.
        said = " ".join(_texts(json.loads(arguments, object_pairs_hook=tuple)))
    except (ValueError, RecursionError):
        said = arguments
    # Dots of other scripts end a label too.
    said = unicodedata.normalize("NFKC", said).replace("\u3002", ".")
    return frozenset(host.lower() for host in _HOST.findall(said))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _holds(rule: SendRule, tool: str, taint: Taint) -> bool:
    """Return whether a rule is about a call, but for where it goes."""
    enough = all if rule.do == "allow" else any
    return fnmatchcase(tool, rule.tool) and enough(_fits(source, rule.after) for source in taint.sources)


def _sends(tool: str, rules: ToolRules) -> bool:
    if tool in rules.sends:
        return rules.sends[tool]
    for pattern, sends in rules.sends.items():
        if fnmatchcase(tool, pattern):
            return sends
    return rules.unknown


def _source(segment: Segment) -> str:
    if segment.trust == "retrieved":
        return "retrieved"
    return segment.source or "tool"


def _fits(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
