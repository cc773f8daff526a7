"""The rows of the table, in the order in which they are run: those of every peer, and those of Mainstay alone."""

from bench.rows import (
    amplify,
    batches,
    bodies,
    cancel,
    drill,
    engine,
    fair,
    goodput,
    grpc,
    hedge,
    latency,
    ledger,
    memory,
    streams,
    throughput,
    translate,
)
from bench.rows.port import OwnRow, Plan, Row, Trial, Visit

__all__ = ["OWN_ROWS", "ROWS", "OwnRow", "Plan", "Row", "Trial", "Visit"]

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
_OWN = (
    engine.ROW,
    ledger.ROW,
    cancel.ROW,
    hedge.ROW,
    amplify.ROW,
    fair.ROW,
    goodput.ROW,
    drill.ROW,
    translate.ROW,
    grpc.ROW,
    batches.ROW,
)
ROWS: dict[str, Row] = {row.name: row for row in _ORDER}
OWN_ROWS: dict[str, OwnRow] = {row.name: row for row in _OWN}
