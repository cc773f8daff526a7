"""From findings to the table of ratios, the JSON file and the Markdown file.

Pure but for the two files. A value is set against the nginx and the direct run of its own round; the table shows the
median over the rounds. It names no path and no host.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import goals
from bench.run import Outcome, Settings
from bench.stats import median
from bench.text import table

__all__ = ["FIGURES", "Cell", "Figure", "cells", "document", "markdown", "write"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    compare: `ratio` sets the value against nginx', `direct` against the direct run's, `added` takes the direct run's
    value off and sets the rest against nginx' rest, `plain` compares nothing. The value is multiplied by `scale`
    before it is shown in `unit`.
    """

    key: str
    title: str
    unit: str
    compare: str = "plain"
    scale: float = 1.0
    digits: int = 0


_MS, _US = 1e3, 1e6
FIGURES = (
    Figure("requests_per_second", "requests per second, of nginx'", "/s", "ratio"),
    Figure("requests_per_second", "requests per second, of direct", "/s", "direct"),
    Figure("busy", "its core busy meanwhile", "%", scale=100),
    Figure("cpu_per_1000", "CPU per 1,000 requests, of nginx'", "ms", "ratio", _MS, 1),
    Figure("p50_at_1", "added p50, 1 connection", "ms", "added", _MS, 3),
    Figure("p99_at_1", "added p99, 1 connection", "ms", "added", _MS, 3),
    Figure("p50_at_rate", "added p50, fixed rate", "ms", "added", _MS, 3),
    Figure("p90_at_rate", "added p90, fixed rate", "ms", "added", _MS, 3),
    Figure("p99_at_rate", "added p99, fixed rate", "ms", "added", _MS, 3),
    Figure("p999_at_rate", "added p99.9, fixed rate", "ms", "added", _MS, 3),
    Figure("cpu_per_1000_at_rate", "CPU per 1,000 at fixed rate", "ms", "ratio", _MS, 1),
    Figure("events_per_second", "stream events per second, of nginx'", "/s", "ratio"),
    Figure("events_per_second", "stream events per second, of direct", "/s", "direct"),
    Figure("busy_on_streams", "its core busy meanwhile", "%", scale=100),
    Figure("cpu_per_event", "CPU per event, of nginx'", "µs", "ratio", _US, 1),
    Figure("cpu_per_paced_event", "CPU per event at a human pace", "µs", "ratio", _US, 1),
    Figure("gap_p99", "gap between paced events, p99", "ms", scale=_MS, digits=1),
    Figure("first_p50", "added time to first token, p50", "ms", "added", _MS, 3),
    Figure("first_p99", "added time to first token, p99", "ms", "added", _MS, 3),
    Figure("p50_body_1kb", "added p50, body of 1 KB", "ms", "added", _MS, 3),
    Figure("p50_body_50kb", "added p50, body of 50 KB", "ms", "added", _MS, 3),
    Figure("p50_body_1mb", "added p50, body of 1 MB", "ms", "added", _MS, 3),
    Figure("memory_before", "memory before, all processes", "MiB", digits=1),
    Figure("memory_after", "memory after, all processes", "MiB", digits=1),
    Figure("worker_after", "memory of the worker after", "MiB", digits=1),
    Figure("worker_slope", "worker's growth per 1,000 requests", "KiB", digits=2),
    Figure("ready", "start until ready", "s", digits=2),
    Figure("first_answer", "start until first answer", "s", digits=2),
    Figure("import", "import", "s", digits=3),
    Figure("taken", "its core taken by others (noise)", "%", scale=100),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One peer's value of one figure: the median over rounds, and what it is set against."""

    value: float
    ratio: float | None
    rounds: int


def cells(outcome: Outcome, figure: Figure) -> dict[str, Cell]:
    """The line of one figure, by peer; peers without a value are absent."""
    by_round: dict[int, dict[str, float]] = {}
    for finding in outcome.findings:
        if figure.key in finding.figures:
            by_round.setdefault(finding.round, {})[finding.peer] = finding.figures[figure.key]
    if figure.compare == "added":
        return _added(by_round)
    base = {"ratio": "nginx", "direct": "direct"}.get(figure.compare, "")
    values: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    for row in by_round.values():
        for peer, value in row.items():
            values.setdefault(peer, []).append(value)
            if row.get(base, 0.0) > 0:
                ratios.setdefault(peer, []).append(value / row[base])
    return {
        peer: Cell(median(seen), median(ratios[peer]) if peer in ratios else None, len(seen))
        for peer, seen in values.items()
    }


def _added(by_round: dict[int, dict[str, float]]) -> dict[str, Cell]:
    """What each peer adds to the direct run of the same round. The ratio is one of medians: what nginx adds may come
    out at nothing in a single round, and a ratio to nothing is none."""
    added: dict[str, list[float]] = {}
    for row in by_round.values():
        for peer, value in row.items():
            if peer != "direct" and "direct" in row:
                added.setdefault(peer, []).append(value - row["direct"])
    base = median(added["nginx"]) if "nginx" in added else 0.0
    return {
        peer: Cell(median(seen), median(seen) / base if base > 0 else None, len(seen)) for peer, seen in added.items()
    }


def markdown(outcome: Outcome, settings: Settings) -> str:
    """The table and its notes; fit for a terminal too."""
    found = {finding.peer for finding in outcome.findings}
    peers = [peer for peer in settings.peers if peer in found]
    rows = [["", *peers]]
    for figure in FIGURES:
        line = cells(outcome, figure)
        if line:
            rows.append([figure.title, *(_text(figure, line.get(peer)) for peer in peers)])
    parts = [table(rows), _legend(settings)] if peers else []
    if outcome.own:
        parts += [goals.markdown(outcome.own), _OWN_LEGEND]
    known = [*peers, *(["mainstay"] if outcome.own and "mainstay" not in peers else [])]
    versions = ", ".join(f"{peer} {outcome.versions[peer]}" for peer in known if outcome.versions[peer] != "-")
    parts.append(f"Versions: {versions}.")
    notes = [f"- {peer} was left out: {reason}" for peer, reason in outcome.skipped.items()]
    notes += [f"- {note}" for note in outcome.notes]
    notes += [f"- {note}" for note in outcome.own_notes]
    notes += [
        f"- {finding.peer}, round {finding.round}: {note}" for finding in outcome.findings for note in finding.notes
    ]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts) + "\n"


def _text(figure: Figure, cell: Cell | None) -> str:
    if cell is None:
        return ""
    value = f"{cell.value * figure.scale:,.{figure.digits}f} {figure.unit}".replace(" /s", "/s")
    if figure.compare == "added":
        value = f"{cell.value * figure.scale:+,.{figure.digits}f} {figure.unit}"
    return value if cell.ratio is None else f"{_ratio(cell.ratio)} ({value})"


def _ratio(ratio: float) -> str:
    return f"{ratio:.4f}" if 0 < ratio < 0.01 else f"{ratio:.2f}"


def _legend(settings: Settings) -> str:
    plan = settings.plan
    return (
        f"Ratios first, measured values in brackets; medians of {settings.rounds} rounds, {plan.seconds:g} s for each "
        f"load run; fixed rate {plan.rate:,.0f} requests per second (Poisson). Added means less the direct run's own "
        "time, its ratio is to what nginx adds. A core that was not busy says that the load side was the limit: read "
        "CPU per request there."
    )


_OWN_LEGEND = (
    "Mainstay alone, against what it promises: real gateways, scripted upstreams and callers on this machine, each row "
    "a comparison within itself."
)


def document(outcome: Outcome, settings: Settings, date: str) -> dict[str, Any]:
    """Everything, for the JSON file."""
    lines = {
        f"{figure.key}:{figure.compare}": {peer: asdict(cell) for peer, cell in cells(outcome, figure).items()}
        for figure in FIGURES
    }
    return {
        "format": 1,
        "date": date,
        "machine": _machine(),
        "settings": {
            "peers": list(settings.peers),
            "rows": list(settings.rows),
            "rounds": settings.rounds,
            "plan": asdict(settings.plan),
            "gateway_cores": sorted(settings.gateway_cores),
            "load_cores": sorted(settings.load_cores),
        },
        "versions": outcome.versions,
        "setups": outcome.setups,
        "skipped": outcome.skipped,
        "notes": outcome.notes,
        "table": lines,
        "own": outcome.own,
        "kept": goals.verdicts(outcome.own),
        "own_notes": outcome.own_notes,
        "findings": [asdict(finding) for finding in outcome.findings],
    }


def _machine() -> dict[str, Any]:
    model = "unknown"
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "processor": model,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def write(outcome: Outcome, settings: Settings, folder: Path, date: str) -> Path:
    """Write `<date>-<cores>core-<architecture>.json` and .md, never over an older one; returns the JSON's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{date}-{os.cpu_count()}core-{platform.machine()}"
    number = 1
    path = folder / f"{stem}.json"
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.json"
    path.write_text(json.dumps(document(outcome, settings, date), indent=1) + "\n")
    title = f"# Benchmark of {date}: {os.cpu_count()} cores, {platform.machine()}\n\n"
    path.with_suffix(".md").write_text(title + markdown(outcome, settings))
    return path
