"""Fairness: two keys offer ten to one to a model that answers four calls at a time; who gets which share of the tokens.

Once with calls of one size, once with the smaller tenant's calls three times as long: equal shares are of tokens, not
of calls. Both offer more than their half. What was served is counted at the upstream, while both keep coming; a token
of an answer weighs as two of a prompt, as the gateway weighs them.
"""

import asyncio
import time
from collections.abc import Iterable

from bench import load, schedule, wire
from bench.peers.gateway import Gateway, serving
from bench.rows.port import OwnRow, Trial
from bench.upstream import Script, serve
from bench.visitors import Visitor

__all__ = ["ROW", "at_once", "shares"]

_SERVICE = 0.05
_AT_ONCE = 4
_FEW, _MANY = 60.0, 600.0
_SECONDS = 6.0
_SETTLING = 1.5
_SHORT, _LONG = 50, 150
_PROMPT = 41  # what the upstream says that every prompt has
_OUT = 2


def shares(served: list[Visitor], sizes: dict[bytes, int], since: float, until: float) -> list[int]:
    """The weighed tokens of each tenant whose calls came to the upstream between these times, as `sizes` has them.

    sizes: tokens of an answer, by the name that the tenant's bodies carry as their user.
    """
    found = dict.fromkeys(sizes, 0)
    for visitor in served:
        name = visitor.body.partition(b'"user": "')[2].partition(b'"')[0]
        if since <= visitor.at < until:
            found[name] += _PROMPT + _OUT * sizes[name]
    return list(found.values())


def at_once(served: list[Visitor]) -> int:
    """The most requests that were with the upstream at the same time."""
    # An end before a start at the same instant: the place was free.
    steps = sorted([(one.at, 1) for one in served] + [(one.until, -1) for one in served if one.until])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


async def _run(trial: Trial) -> None:
    served: list[Visitor] = []
    upstream = await serve(Script(latency=_SERVICE, full=True), 0, watch=served.append)
    settings = {
        "providers": {"scripted": {"kind": "openai", "base_url": upstream.base_url, "api_key": "sk-none"}},
        "models": {"narrow": {"provider": "scripted", "concurrency": _AT_ONCE}},
        "overload": {"wait": "1s"},
    }
    seconds = _SETTLING + _SECONDS * max(trial.plan.scale, 0.5)
    try:
        for name, size in (("same", _SHORT), ("mixed", _LONG)):
            served.clear()
            with serving(settings, trial.cores, trial.scratch, ("many", "few")) as gateway:
                began = time.perf_counter()
                offered = await asyncio.gather(
                    _offer(gateway, "many", _MANY, _SHORT, 240, seconds),
                    _offer(gateway, "few", _FEW, size, 80, seconds),
                )
            many, few = shares(served, {b"many": _SHORT, b"few": size}, began + _SETTLING, began + seconds)
            trial.figures[f"fair_{name}_ratio"] = few / max(many, 1)
            trial.figures[f"fair_{name}_calls"] = float(len(served))
            _check(trial, name, served, offered)
    finally:
        upstream.close()


async def _offer(gateway: Gateway, key: str, rate: float, tokens: int, connections: int, seconds: float) -> load.Load:
    endpoint = gateway.endpoint("narrow", key)
    body = wire.question("narrow", max_tokens=tokens, user=key)
    request = wire.post(endpoint.base_url, body, dict(endpoint.headers))
    due = schedule.poisson(rate, seconds, seed=int(rate))
    return await load.open_loop(request, due, connections=connections, rate=rate, grace=3.0)


def _check(trial: Trial, name: str, served: list[Visitor], offered: Iterable[load.Load]) -> None:
    most = at_once(served)
    if most != _AT_ONCE:
        trial.notes.append(f"fair, {name}: {most} calls were with the upstream at once, not {_AT_ONCE}")
    for result in offered:
        odd = {kind: count for kind, count in result.errors.items() if kind != "status 503"}
        if odd:
            trial.notes.append(f"fair, {name}: {odd} beside 503")


ROW = OwnRow("fair", _run)
