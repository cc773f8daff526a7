"""``python -m bench.guards --data DIR``: how well our own guards judge what they never learnt from, and its cost.

``DIR`` holds the sets wildguard-benign, xstest, clinc150, bipia and gptfuzz. With ``--packages DIR`` (what
``recipes.guards.fetch`` fills) the fixed fifth of the profanity rows is measured too. What needs training anew, such as
the recall on sources left out, the recipes print.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recipes.guards.benign import trigger_words
from recipes.guards.data import comments, held_out, windows
from recipes.guards.identity import swapped, swapped_unlisted

from mainstay.encoders.minilm import open_encoder
from mainstay.guardrails.models import Guard, open_guard
from mainstay.guardrails.novelty import Novelty

__all__ = ["auroc", "main", "wilson"]

#: Comments of the fixed fifth that are judged: all take a quarter of an hour.
_COMMENTS = 8000
_SETS = ("wildguard-benign/prompts.jsonl", "xstest/prompts.csv", "clinc150/clinc150.tsv", "bipia/attacks.jsonl",
         "bipia/email_test.jsonl", "gptfuzz/test.jsonl")  # fmt: skip


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))) / (1 + z * z / count)
    return middle - half, middle + half


def auroc(usual: NDArray[np.float64], strange: NDArray[np.float64]) -> float:
    """Return how often a strange score is above a usual one, halves for ties."""
    order = np.sort(usual)
    below = np.searchsorted(order, strange, "left") + np.searchsorted(order, strange, "right")
    return float(below.mean() / (2 * len(usual)))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def _share(name: str, flagged: Sequence[bool]) -> None:
    low, high = wilson(sum(flagged), len(flagged))
    print(
        f"  {name:34}{sum(flagged):6} of {len(flagged):6}{sum(flagged) / len(flagged):8.1%} ({low:.1%} to {high:.1%})"
    )


def _flags(guard: Guard, head: str, texts: Sequence[str]) -> list[bool]:
    """Return whether any window of each text reaches the head's threshold."""
    limit = guard.thresholds[head]
    return [max(row[head] for row in guard.judge(windows(text, guard.window, 12))) >= limit for text in texts]


def _injection(data: Path) -> None:
    guard = open_guard("injection")
    print(f"injection, one threshold of {guard.thresholds['injection']}: flagged")
    wild = [row["prompt"] for row in _lines(data / "wildguard-benign/prompts.jsonl")]
    with (data / "xstest/prompts.csv").open(encoding="utf-8") as lines:
        safe = [row["prompt"] for row in csv.DictReader(lines) if row["label"] == "safe"]
    emails = [row["context"] for row in _lines(data / "bipia/email_test.jsonl")]
    planted = [row["text"] for row in _lines(data / "bipia/attacks.jsonl") if row["kind"] == "text"]
    sets = {
        "WildGuard-benign, up to 300 letters": [text for text in wild if len(text) <= 300],
        "WildGuard-benign, longer": [text for text in wild if len(text) > 300],
        "XSTest, safe prompts": safe,
        "CLINC150, test": [text for text, _ in _clinc(data, "test")],
        "trigger words, other templates": trigger_words(500, 7, held_out=True),
        "BIPIA e-mails": emails,
        "BIPIA attacks alone": planted,
        "BIPIA attacks in e-mails": [f"{emails[at % len(emails)]}\n{text}" for at, text in enumerate(planted)],
    }
    for name, texts in sets.items():
        _share(name, _flags(guard, "injection", texts))


def _clinc(data: Path, split: str) -> list[tuple[str, str]]:
    rows = [line.split("\t") for line in (data / "clinc150/clinc150.tsv").read_text("utf-8").splitlines()[1:]]
    return [(text, intent) for kind, text, intent in rows if kind == split]


def _novelty(data: Path) -> None:
    encode = open_encoder().encode
    sets = {split: encode([text for text, _ in _clinc(data, split)]) for split in ("train", "test", "oos_test")}
    history = Novelty.fit(sets["train"])
    usual, strange = history.scores(sets["test"]), history.scores(sets["oos_test"])
    rng = np.random.default_rng(0)
    draws = [auroc(rng.choice(usual, len(usual)), rng.choice(strange, len(strange))) for _ in range(500)]
    low, high = np.quantile(draws, [0.025, 0.975])
    missed = float((usual >= np.quantile(strange, 0.05)).mean())
    print(f"novelty on CLINC150, fitted on train without intents: AUROC {auroc(usual, strange):.4f}", end=" ")
    print(f"({low:.4f} to {high:.4f}), false alarms at 95 % found {missed:.1%}")
    for share in (0.01, 0.05):
        print(f"  p <= {share}: test {np.mean(history.p_values(sets['test']) <= share):.3f}", end="")
        print(f", out of scope {np.mean(history.p_values(sets['oos_test']) <= share):.3f}")


def _refusal(data: Path) -> None:
    guard = open_guard("refusal")
    rows = _lines(data / "gptfuzz/test.jsonl")
    found = [row["compliance"] >= 0.5 for row in guard.judge([row["response"] for row in rows])]
    print("refusal on GPTFuzz' test (its label joins refusals with useless answers):")
    _share("compliance is jailbroken", [hit == (row["label"] == 1) for hit, row in zip(found, rows, strict=True)])


def _profanity(packages: Path) -> None:
    rows = [row for row in zip(*comments(packages), strict=True) if held_out(row[0])][:_COMMENTS]
    guard = open_guard("profanity")
    limit = guard.thresholds["profanity"]
    found = np.array([row["profanity"] for row in guard.judge([text for text, _ in rows])])
    truth = np.array([label for _, label in rows])
    rng = np.random.default_rng(0)
    figures = []
    for draw in range(501):
        some = rng.integers(len(rows), size=len(rows)) if draw else np.arange(len(rows))
        hit, real = found[some] >= limit, truth[some]
        figures.append(
            (2 * (hit & real).sum() / (hit.sum() + real.sum()), (hit[real].mean() + 1 - hit[~real].mean()) / 2)
        )
    (low, low2), (high, high2) = np.quantile(figures[1:], [0.025, 0.975], axis=0)
    print(f"profanity on {len(rows)} rows held out: F1 {figures[0][0]:.3f} ({low:.3f} to {high:.3f})", end=", ")
    print(f"balanced accuracy {figures[0][1]:.3f} ({low2:.3f} to {high2:.3f})")


def _swaps() -> None:
    """Print the gap between the words of a kind of group: the same 16 sentences with each, flagged how often."""
    print("share flagged by kind of group, lowest and highest word, the gap (goal: 2 points) and the middle 90 %:")
    kinds = {**swapped(), "in no list": swapped_unlisted()}
    heads = ("hate", "harassment", "threat", "sexual", "self_harm", "violence", "illicit")
    for name, head in (("profanity", "profanity"), *(("moderation", head) for head in heads)):
        guard = open_guard(name)
        for kind, words in kinds.items():
            shares = {word: float(np.mean(_flags(guard, head, texts))) for word, texts in words.items()}
            low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
            middle = np.quantile(list(shares.values()), [0.05, 0.95])
            gap = f"{100 * (shares[high] - shares[low]):.1f} points, {middle[0]:.1%} to {middle[1]:.1%}"
            print(f"  {head:11}{kind:14}{low} {shares[low]:.1%}, {high} {shares[high]:.1%}: {gap}")


def _latency() -> None:
    print("milliseconds of processor time for a prompt, one core, median of 15:")
    text = "Please summarise the notes of the meeting for the team and list what is still open. " * 12
    for name in ("injection", "moderation", "profanity", "refusal"):
        guard = open_guard(name)
        for size in (100, 500):
            guard.judge([text[:size]])
            times = []
            for _ in range(15):
                start = time.process_time()
                guard.judge([text[:size]])
                times.append(time.process_time() - start)
            print(f"  {name:12}{size:5} letters{sorted(times)[7] * 1e3:8.1f}")


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.guards", description="How well our own guards judge.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")
    parser.add_argument("--packages", type=Path, help="folder that recipes.guards.fetch filled")
    options = parser.parse_args()
    missing = [name for name in _SETS if not (options.data / name).is_file()]
    if missing:
        print(f"{options.data} lacks {', '.join(missing)}", file=sys.stderr)
        return 2
    _latency()
    _swaps()
    _refusal(options.data)
    _injection(options.data)
    _novelty(options.data)
    if options.packages is not None:
        _profanity(options.packages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
