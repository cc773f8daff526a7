"""Streams: as many events as go through one core, the wait for the first, and what one event costs at a human pace."""

from bench import load
from bench.rows.port import Row, Visit, script_upstream
from bench.upstream import Script

__all__ = ["FIRST_TOKEN", "PACED", "STREAMS"]

_FIRST_EVENTS = 8
_PACED_STREAMS = 100
_PACED_RATE = 40.0


async def _streams(visit: Visit) -> None:
    plan = visit.plan
    await script_upstream(visit.upstream_port, Script(tokens=plan.stream_events))
    request = visit.running.stream.request(stream_events=plan.stream_events)
    # A stream that is cut short would look fast: the first answers are checked event by event.
    checked = await load.closed_loop(request, connections=4, seconds=1.0, limit=16)
    if checked.errors:
        visit.keep("stream check", checked)
        visit.notes.append("streams: left out, since the answers are not whole")
        return
    before = visit.cpu()
    result = visit.keep("streams", await visit.closed(request, plan.connections))
    after = visit.cpu()
    visit.figures["events_per_second"] = result.events_rate
    visit.figures["streams_per_second"] = result.rate
    if before is not None and after is not None and result.events:
        visit.figures["cpu_per_event"] = (after - before) / result.events
        visit.figures["busy_on_streams"] = (after - before) / result.seconds


async def _first_token(visit: Visit) -> None:
    # Events 2 ms apart: the upstream is idle again when the first has to be forwarded.
    await script_upstream(visit.upstream_port, Script(tokens=_FIRST_EVENTS, tokens_per_second=500))
    request = visit.running.stream.request(stream_events=_FIRST_EVENTS)
    result = await load.closed_loop(request, connections=1, seconds=visit.plan.seconds)
    visit.keep("first token", result)
    if result.first_event is not None:
        visit.figures["first_p50"] = result.first_event.p50
        visit.figures["first_p99"] = result.first_event.p99


async def _paced(visit: Visit) -> None:
    capacity = visit.figures.get("events_per_second")
    wanted = _PACED_STREAMS * _PACED_RATE
    if capacity is not None and capacity < wanted:
        visit.notes.append(f"paced streams: it cannot hold {wanted:.0f} events per second")
        return
    tokens = max(int(_PACED_RATE * visit.plan.seconds), 8)
    await script_upstream(visit.upstream_port, Script(tokens=tokens, tokens_per_second=_PACED_RATE))
    request = visit.running.stream.request(stream_events=tokens)
    before = visit.cpu()
    result = await load.closed_loop(
        request, connections=_PACED_STREAMS, seconds=30.0, limit=_PACED_STREAMS, grace=visit.plan.seconds + 5
    )
    after = visit.cpu()
    visit.keep("paced streams", result)
    if before is not None and after is not None and result.events:
        visit.figures["cpu_per_paced_event"] = (after - before) / result.events
    if result.gaps is not None:
        visit.figures["gap_p99"] = result.gaps.p99


STREAMS = Row("streams", _streams)
FIRST_TOKEN = Row("first-token", _first_token)
PACED = Row("paced", _paced)
