"""Time as values: wall clock for records, monotonic clock for durations."""

import time

__all__ = ["monotonic", "since_ms", "wall_ms"]

#: Seconds on a clock that never goes back; only differences mean anything.
monotonic = time.monotonic


def wall_ms() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000_000


def since_ms(started: float) -> float:
    """Milliseconds since the monotonic second ``started``, to the microsecond."""
    # Cutting off through an int takes a quarter of the time of round().
    return int((monotonic() - started) * 1e6) / 1e3
