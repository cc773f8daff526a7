"""Reads a gauge of living processes back, for whoever is not a scraper: the command line and the admin API.

Reads the text that is served at ``/metrics``, so that both always say the same.
"""

import re
from pathlib import Path

from mainstay.telemetry.metrics import exposition

__all__ = ["read_gauge"]

_LABEL = re.compile(r'[a-z_]+="((?:[^"\\]|\\.)*)"')


def read_gauge(directory: Path, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of the gauge ``name`` by the values of its labels; none where no process tells any.

    ``directory`` is where the processes' numbers lie.
    """
    found = {}
    for line in exposition(directory).decode().splitlines():
        if line.startswith(name + "{"):
            labels, _, value = line.removeprefix(name).rpartition(" ")
            found[tuple(_plain(one) for one in _LABEL.findall(labels))] = float(value)
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)
