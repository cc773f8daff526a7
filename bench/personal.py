"""``python -m bench.personal --data DIR``: how much personal data is found, what it costs, and whether it comes back.

``DIR`` holds ``synth_dataset_v2.jsonl`` of presidio-synth (see ``docs/personal.md``). Its texts are split by template:
on one half (``--part tune``) we may look while building, the other half is only reported. Scored by token, whatever the
kind, as its authors do: a token counts that lies in a marked place.
"""

import argparse
import hashlib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from mainstay.guardrails.personal import PersonalConfig, open_personal
from mainstay.guardrails.personal.config import Kind
from mainstay.guardrails.port import Finding, Scanner
from mainstay.guardrails.pseudonyms import Pseudonyms, Style, derive_key
from mainstay.guardrails.restore import Restorer

__all__ = ["Row", "Trips", "main", "milliseconds", "read", "round_trips", "score"]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_RESAMPLES = 1000


class Row(NamedTuple):
    """A text, its template, and the places that hold personal data."""

    text: str
    template: int
    places: list[tuple[int, int, str]]


class Counts(NamedTuple):
    """Tokens rightly found, found without need, and missed."""

    hits: int
    false: int
    missed: int

    def figures(self) -> tuple[float, float, float]:
        """Return precision, recall and F2."""
        precision = self.hits / max(1, self.hits + self.false)
        recall = self.hits / max(1, self.hits + self.missed)
        return precision, recall, 5 * precision * recall / max(1e-9, 4 * precision + recall)


def read(folder: Path, part: str) -> list[Row]:
    """Return the rows of a part (``tune``, ``report``, ``all``); a template is wholly in one or the other."""
    rows = []
    for line in (folder / "synth_dataset_v2.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n"):
        row = json.loads(line)
        digest = hashlib.sha256(f"personal {row['template_id']}".encode()).digest()
        if part != "all" and (digest[0] % 2 == 0) != (part == "tune"):
            continue
        places = [(span["start_position"], span["end_position"], span["entity_type"]) for span in row["spans"]]
        rows.append(Row(row["full_text"], row["template_id"], places))
    return rows


def score(row: Row, findings: Sequence[Finding]) -> tuple[Counts, Counter[str]]:
    """Return the counts of one text, and how many tokens of each type were there (``+``), missed (``-``) or false."""
    hits = false = missed = 0
    by_type: Counter[str] = Counter()
    for token in _TOKEN.finditer(row.text):
        true = next((kind for start, end, kind in row.places if token.start() < end and start < token.end()), "")
        found = next((one for one in findings if token.start() < one.end and one.start < token.end()), None)
        hits += bool(true and found)
        if true:
            by_type[f"+{true}"] += 1
        if true and not found:
            missed += 1
            by_type[f"-{true}"] += 1
        if found and not true:
            false += 1
            by_type[f"false {found.kind} ({found.rule})"] += 1
    return Counts(hits, false, missed), by_type


def intervals(counts: dict[int, Counts], seed: int = 1) -> list[tuple[float, float]]:
    """Return 95 % intervals of precision, recall and F2, by drawing templates again."""
    draw = random.Random(seed)
    keys = sorted(counts)
    found = []
    for _ in range(_RESAMPLES):
        chosen = [counts[draw.choice(keys)] for _ in keys]
        found.append(Counts(*(sum(column) for column in zip(*chosen, strict=True))).figures())
    low, high = int(_RESAMPLES * 0.025), int(_RESAMPLES * 0.975)
    return [(sorted(column)[low], sorted(column)[high]) for column in zip(*found, strict=True)]


def milliseconds(scanner: Scanner, rows: Sequence[Row]) -> tuple[float, float]:
    """Return the median and the 95th percentile of the time for 1,000 characters, in texts of about 1,000."""
    texts, text = [], ""
    for row in rows:
        text += row.text + "\n\n"
        if len(text) >= 1000:
            texts.append(text)
            text = ""
    times = []
    for text in texts:
        start = time.process_time()
        scanner.scan(text)
        times.append((time.process_time() - start) * 1e3 / len(text) * 1000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.95)]


class Trips(NamedTuple):
    """Cuts tried, cuts after which the text was not the same, values whose pseudonym changed between turns, and
    pseudonyms that another tenant had too."""

    cuts: int
    failures: int
    changed: int
    crossed: int


def round_trips(rows: Sequence[Row], scanner: Scanner, documents: int, turns: int, seed: int = 1) -> Trips:
    """Hide and restore random conversations, each turn with a fresh map as on another node, cut at every place."""
    draw = random.Random(seed)
    cuts = failures = changed = crossed = 0
    for number in range(documents):
        texts = []
        for _ in range(turns):
            text = draw.choice(rows).text
            start = draw.randrange(len(text))
            texts.append(text[start : start + 80])
        found = [scanner.scan(text) for text in texts]
        style: Style = "typed" if number % 2 else "realistic"
        key, other = (derive_key(b"bench" * 7, f"{tenant} {number % 7}") for tenant in ("one", "other"))
        known: dict[str, str] = {}
        for turn in range(turns):
            pseudonyms = Pseudonyms(key, str(number % 11), style=style)
            for text, findings in zip(texts[: turn + 1], found, strict=False):
                pseudonyms.note(text, findings)
            hidden, mapping = pseudonyms.hide(texts[turn], found[turn])
            changed += sum(known.get(name, value) != value for name, value in mapping.items())
            known |= mapping
            restorer = Restorer(mapping)
            for cut in range(len(hidden) + 1):
                cuts += 1
                failures += restorer.feed(hidden[:cut]) + restorer.feed(hidden[cut:]) + restorer.close() != texts[turn]
        theirs = Pseudonyms(other, str(number % 11), style=style)
        for text, findings in zip(texts, found, strict=True):
            theirs.note(text, findings)
        crossed += len(known.keys() & theirs.mapping.keys())
    return Trips(cuts, failures, changed, crossed)


def _report(rows: Sequence[Row], scanner: Scanner, details: bool) -> Iterator[str]:
    counts: dict[int, Counts] = {}
    kinds: Counter[str] = Counter()
    for row in rows:
        one, by_type = score(row, scanner.scan(row.text))
        kinds += by_type
        old = counts.get(row.template, Counts(0, 0, 0))
        counts[row.template] = Counts(*(a + b for a, b in zip(old, one, strict=True)))
    total = Counts(*(sum(column) for column in zip(*counts.values(), strict=True)))
    yield f"{len(rows)} texts of {len(counts)} templates, {total.hits + total.missed} tokens to find"
    for name, value, (low, high) in zip(("precision", "recall", "F2"), total.figures(), intervals(counts), strict=True):
        yield f"{name:10} {value:.3f}  ({low:.3f} to {high:.3f})"
    for kind in sorted(key[1:] for key in kinds if key.startswith("+")):
        found = 1 - kinds[f"-{kind}"] / kinds[f"+{kind}"]
        yield f"  {kind:18} recall {found:.3f} of {kinds[f'+{kind}']}"
    if details:
        for kind, number in kinds.most_common():
            if kind.startswith("false"):
                yield f"  {kind} {number}"


def main() -> int:
    """Print what is found, what it costs, and how often a document did not come back."""
    parser = argparse.ArgumentParser(prog="python -m bench.personal", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of presidio-synth")
    parser.add_argument("--part", choices=("tune", "report", "all"), default="report")
    parser.add_argument("--documents", type=int, default=200, help="conversations to hide and restore at every cut")
    parser.add_argument("--turns", type=int, default=20, help="turns of each")
    parser.add_argument("--threshold", type=float, default=PersonalConfig().threshold)
    parser.add_argument("--details", action="store_true", help="also what was found without need, by rule")
    options = parser.parse_args()
    if not (options.data / "synth_dataset_v2.jsonl").is_file():
        print(
            f"{options.data} holds no synth_dataset_v2.jsonl; take it from microsoft/presidio-research", file=sys.stderr
        )
        return 2
    rows = read(options.data, options.part)
    scanner = open_personal(PersonalConfig(kinds=get_args(Kind), threshold=options.threshold))
    print(f"part: {options.part}")
    for line in _report(rows, scanner, options.details):
        print(line)
    median, late = milliseconds(scanner, rows)
    print(f"time       {median:.2f} ms for 1,000 characters (95th percentile {late:.2f})")
    if options.documents:
        trips = round_trips(rows, scanner, options.documents, options.turns)
        print(f"round trip {options.documents} documents of {options.turns} turns, {trips.cuts} cuts")
        print(f"           {trips.failures} not exact, {trips.changed} changed, {trips.crossed} of two tenants")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
