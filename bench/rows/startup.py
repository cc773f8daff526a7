"""How long it takes to be of use: importing the package, becoming ready, giving the first answer.

Ready and first answer are measured where the peer is started, in run.py; this row adds the import.
"""

import subprocess
import time

from bench.stats import median

__all__ = ["import_seconds"]

_TIMES = 5


def import_seconds(python: str, statement: str) -> float:
    """Median wall seconds of a fresh interpreter running the statement, less those of one that does nothing."""
    return median([_once(python, statement) - _once(python, "pass") for _ in range(_TIMES)])


def _once(python: str, statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([python, "-c", statement], check=True, capture_output=True)
    return time.perf_counter() - started
