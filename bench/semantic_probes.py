"""Pairs that must never be taken for one question, and questions of tenants that must never meet."""

import json
import random

from mainstay.caching.config import RouteCacheConfig
from mainstay.caching.gates import stopped
from mainstay.caching.index import Index, Known
from mainstay.caching.key import Rule, key_of
from mainstay.caching.semantic_config import SemanticConfig
from mainstay.caching.verifier import Read, Verifier
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.record import Record
from mainstay.core.timeouts import Timeouts
from mainstay.encoders.minilm import Encoder
from mainstay.providers.openai import read_ask

__all__ = ["across_tenants", "swapped_pairs"]

_OPPOSITES = """turn on|turn off; enable|disable; increase|decrease; buy|sell; start|stop; open|close;
    install|uninstall; lock|unlock; upload|download; encrypt|decrypt; raise|lower; add|remove;
    show|hide; connect|disconnect; subscribe to|unsubscribe from; import|export;
    activate|deactivate; mount|unmount; mute|unmute; expand|collapse"""
_THINGS = """the heating; the notifications; the account; the printer; the volume of the alarm; the firewall; the
    camera; the shares; the subscription; the hard drive; the database; the file; the curtains; the
    toolbar"""
_FORMS = """how do i {x}; how can i {x} today; what happens if i {x}; is it safe to {x}"""
_ENDS = (
    "london|paris; euros|dollars; english|french; pdf|word; celsius|fahrenheit; python|rust; berlin|rome; mysql|sqlite"
)
_WAYS = """how do i convert {a} to {b}; how far is it from {a} to {b}; is {a} better than {b}; should i learn
    {a} before {b}; how do i get from {a} to {b}; how do i move everything from {a} into {b}; does
    {a} cost more than {b}"""
_NAMES = (
    "Anna|Boris; Kenya|Chile; Toyota|Nissan; Oslo|Vienna; Initech|Globex; Python|Haskell; Mars|Venus; Windows|Debian"
)
_ABOUT = """who founded the club of {x}; how old is {x}; what is the population of {x}; where do i find {x};
    when did {x} begin; tell me about the history of {x}"""
_NUMBERS = """how do i lose {n} kg; what happened in {n}; is {n} degrees too hot; how do i cook for {n} people;
    what is {n} percent of 80; how do i earn {n} dollars; what is the {n}th amendment"""


def _listed(text: str) -> list[str]:
    return " ".join(text.split()).split("; ")


def _pairs() -> list[tuple[str, str]]:
    found = []
    for pair in _listed(_OPPOSITES):
        one, other = pair.split("|")
        for thing in _listed(_THINGS):
            found += [(form.format(x=f"{one} {thing}"), form.format(x=f"{other} {thing}")) for form in _listed(_FORMS)]
    for pair in _listed(_ENDS):
        a, b = pair.split("|")
        found += [(form.format(a=a, b=b), form.format(a=b, b=a)) for form in _listed(_WAYS)]
    for pair in _listed(_NAMES):
        one, other = pair.split("|")
        for form in _listed(_ABOUT):
            found += [
                (form.format(x=one), form.format(x=other)),
                (form.format(x=one.lower()), form.format(x=other.lower())),
            ]
    chance = random.Random(5)
    for form in _listed(_NUMBERS) * 20:
        low, high = chance.sample(range(2, 2030), 2)
        found.append((form.format(n=low), form.format(n=high)))
    return found


def swapped_pairs(encoder: Encoder, verifier: Verifier, config: SemanticConfig) -> tuple[int, int]:
    """Return how many pairs that ask the opposite, the reverse, another number or name there are, and how many pass."""
    passed = 0
    pairs = _pairs()
    for one, other in pairs:
        if stopped(one, other) is not None:
            continue
        first, second = encoder.read(one), encoder.read(other)
        alike = float(first.vector @ second.vector)
        sure = verifier.same(verifier.read(first), verifier.read(second), alike)
        if alike >= config.similarity and sure >= config.certainty:
            passed += 1
            print(f"passes: {one} | {other}")
    return len(pairs), passed


def across_tenants(probes: int = 10_000) -> tuple[int, int]:
    """Return how many times one tenant, system prompt, tool or setting asked what another had kept, and how often that
    was found. The text is the same to the letter, so that nothing but the partition stands between them."""
    import numpy as np

    chance = random.Random(6)
    rule = Rule("r", RouteCacheConfig(), b"shape")
    index = Index(2 * probes)
    vector = np.zeros(384, np.float32)
    vector[0] = 1.0
    nothing = Read(np.empty(0, np.int32), np.empty((0, 1), np.float16))
    owners: dict[bytes, tuple[object, ...]] = {}
    leaks = 0
    for _ in range(probes):
        who = (
            f"o{chance.randrange(20)}",
            f"t{chance.randrange(20)}",
            f"You are assistant {chance.randrange(20)}.",
            chance.choice((None, 0.0, 1.0)),
            chance.choice(("", "find", "send")),
            chance.choice(("", "And what did I say before?")),
        )
        asked = key_of(_call(*who), rule)
        for _, known in index.near(asked.partition, vector, 0.5, 4, 0.0):
            leaks += owners[known.key] != who
        owners[asked.key] = who
        index.add(asked.partition, Known(asked.key, asked.text, nothing, 1.0), vector)
    return probes, leaks


def _call(organisation: str, team: str, system: str, temperature: float | None, tool: str, before: str) -> Call:
    messages = [{"role": "system", "content": system}]
    if before:
        messages += [{"role": "user", "content": before}, {"role": "assistant", "content": "Nothing."}]
    messages.append({"role": "user", "content": "What is my balance?"})
    body: dict[str, object] = {"model": "r", "messages": messages}
    if temperature is not None:
        body["temperature"] = temperature
    if tool:
        body["tools"] = [{"type": "function", "function": {"name": tool, "parameters": {"type": "object"}}}]
    ask: Ask = read_ask(json.dumps(body).encode())
    caller = Caller(f"k-{team}", team=team, organisation=organisation)
    return Call(ask, Record.opened("chat", "POST", "/v1/chat/completions"), caller, "r", (), 0.0, 1e9, Timeouts())
