"""The rows of the table, in the order in which they are run on each visit to a peer."""

from bench.rows import bodies, latency, memory, streams, throughput
from bench.rows.port import Plan, Row, Visit

__all__ = ["ROWS", "Plan", "Row", "Visit"]

_ORDER = (
    throughput.ROW,
    latency.ONE_CONNECTION,
    latency.FIXED_RATE,
    streams.STREAMS,
    streams.FIRST_TOKEN,
    streams.PACED,
    bodies.ROW,
    memory.ROW,
)
ROWS: dict[str, Row] = {row.name: row for row in _ORDER}
