"""Calls of tools that send data out: what a model has read so far, and what follows for the tools that it calls.

Asked where an answer leaves for its caller (see ``toolcalls``), and before a tool is run by the gateway itself. What is
decided stands in ``taint``. Knows prompts, no events, no routes and no wire.
"""

import hashlib
import json
from contextlib import suppress
from typing import Final, Literal

import msgspec

from mainstay.core.call import Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import NeedsReview, ToolNotAllowed
from mainstay.core.prompt import Prompt
from mainstay.core.record import RailSpan, RailVerdict
from mainstay.guardrails.port import Reviews
from mainstay.guardrails.sends_config import SendsConfig
from mainstay.guardrails.taint import (
    SendRule,
    Taint,
    ToolRules,
    allowed,
    by_arguments,
    destinations,
    is_foreign,
    taint_of,
    vouched,
)

__all__ = ["SendPolicy", "Sending", "policy_of"]

#: What records, metrics and reviews call it.
_NAME: Final = "sends"
_OUTCOMES: Final = {"allow": "passed", "human": "held", "refuse": "blocked"}
#: Places that a verdict names, hosts that a reviewer is told, and characters of a tool's name.
_SPANS, _HOSTS, _LONGEST = 64, 5, 128


class SendPolicy(msgspec.Struct, frozen=True, eq=False):
    """What a route says of tools that send; see :class:`~mainstay.guardrails.sends_config.SendsConfig`."""

    rules: ToolRules
    trusted: tuple[str, ...] = ()
    #: False in monitor mode: everything is noted, nothing is done.
    enforce: bool = True
    #: Whether untrusted text is marked.
    marks: bool = True


def policy_of(config: SendsConfig) -> SendPolicy:
    """Return what a route's configuration says as a call wants it."""
    rows = tuple(SendRule(row.tool, row.do, row.after, row.to) for row in config.rules)
    rules = ToolRules(config.tools, rows, config.unknown == "sends", config.otherwise)
    enforce = config.mode == "enforce"
    return SendPolicy(rules, config.trusted, enforce, config.mark and enforce)


class Sending:
    """What the model of one call has read, and which tools it may call; see :class:`~mainstay.core.call.ToolGate`.

    Args:
        policy: the route's.
        call: the call, with the prompt that its caller sent.
        reviews: where calls wait for a person.
    """

    def __init__(self, policy: SendPolicy, call: Call, reviews: Reviews) -> None:
        self.enforce = policy.enforce
        self._policy = policy
        self._call = call
        self._reviews = reviews
        self._prompt: Prompt | None = None
        #: What taints the prompt, once somebody asked, and what has been read since.
        self._asked: frozenset[str] | None = None
        self._heard: frozenset[str] = frozenset()
        self._verdict: RailVerdict | None = None

    def told(self, prompt: Prompt) -> None:
        """See :class:`~mainstay.core.call.ToolGate`."""
        self._prompt, self._asked = prompt, None

    def heard(self, tool: str) -> None:
        """See :class:`~mainstay.core.call.ToolGate`."""
        if not vouched(tool, self._policy.trusted):
            self._heard |= {tool}

    async def permit(self, tool: str, arguments: str) -> str:
        """See :class:`~mainstay.core.call.ToolGate`."""
        sources = self.sources()
        return await self.decide(tool, arguments, sources, "") if sources else ""

    def sources(self) -> frozenset[str]:
        """Return where what the model has read so far came from, as far as nobody vouches for it."""
        if self._asked is None:
            self._asked = taint_of(self._prompt or self._call.ask.prompt, trusted=self._policy.trusted).sources
        return self._asked | self._heard

    def foreign(self, payload: bytes) -> frozenset[str]:
        """Return what taints an answer that has such a part (JSON): a search that the vendor made, say."""
        found = is_foreign(payload) and not vouched("retrieved", self._policy.trusted)
        return frozenset({"retrieved"}) if found else frozenset()

    def waits(self, tool: str, sources: frozenset[str]) -> bool:
        """Return whether a call's arguments count."""
        return by_arguments(tool, Taint(sources), self._policy.rules)

    def decide_now(self, tool: str, sources: frozenset[str], place: str) -> str:
        """Return why a call is refused whose arguments do not count, "" where it is not."""
        verdict = allowed(tool, Taint(sources), self._policy.rules)
        self._note(verdict.do, tool, place, 0)
        return verdict.reason if verdict.do == "refuse" and self.enforce else ""

    async def decide(self, tool: str, arguments: str, sources: frozenset[str], place: str) -> str:
        """Return why a call is refused, in a sentence; "" where it is not.

        Raises:
            NeedsReview: a person is to decide first.
            MainstayError: a person has denied it, or cannot be asked.
        """
        began = monotonic()
        verdict = allowed(tool, Taint(sources), self._policy.rules, arguments)
        if verdict.do != "human":
            self._note(verdict.do, tool, place, len(arguments), monotonic() - began)
            return verdict.reason if verdict.do == "refuse" and self.enforce else ""
        digest = _digest(tool, arguments)
        if self._reviews.allowed(self._call, _NAME, digest):
            self._note("allow", tool, place, len(arguments), monotonic() - began)
            return ""
        self._note("human", tool, place, len(arguments), monotonic() - began)
        if not self.enforce:
            return ""
        name = tool[:_LONGEST]
        kinds = {name: 1} | {f"to {host}": 1 for host in sorted(destinations(arguments))[:_HOSTS]}
        review = await self._reviews.ask(self._call, _NAME, digest, kinds)
        raise NeedsReview(
            f"A person is to decide first whether '{name}' may be called so; ask again once review {review} allows it.",
            extra={"rail": _NAME, "tool": name, "review": review},
        )

    def refusal(self, tool: str, reason: str, sources: frozenset[str]) -> ToolNotAllowed:
        """Return the error that an answer ends in."""
        said = f"{reason.removesuffix('.')}; ask without that content, or have a rule of the route allow it."
        return ToolNotAllowed(said, extra={"tool": tool[:_LONGEST], "after": sorted(sources)})

    def _note(
        self, do: Literal["allow", "refuse", "human"], tool: str, place: str, size: int, seconds: float = 0.0
    ) -> None:
        verdict = self._verdict
        if verdict is None:
            verdict = self._verdict = RailVerdict(_NAME, "output", enforced=self.enforce)
            self._call.record.verdicts.append(verdict)
        verdict.ms += seconds * 1000.0
        if do == "allow":
            return
        if verdict.outcome != "blocked":
            verdict.outcome = _OUTCOMES[do]
        name = tool[:_LONGEST]
        verdict.kinds[name] = verdict.kinds.get(name, 0) + 1
        if place and len(verdict.spans) < _SPANS:
            verdict.spans.append(RailSpan(name, 0, size, place))


def _digest(tool: str, arguments: str) -> str:
    """Return what names a call however its arguments are spaced."""
    with suppress(ValueError, RecursionError):
        # Fields that are there twice stay so: another call than the one that a person saw.
        arguments = json.dumps(json.loads(arguments, object_pairs_hook=lambda pairs: {"fields": pairs}))
    return hashlib.sha256(f"{tool}\0{arguments}".encode("utf-8", "surrogatepass")).hexdigest()
