"""``python -m bench.languages``: how often the language of a text is told right, and what telling costs."""

import sys
import time
from collections.abc import Callable
from functools import partial

from bench.sentences import MIXED, NOTHING, SENTENCES
from mainstay.guardrails.cld2 import Cld2
from mainstay.guardrails.fasttext import FastText
from mainstay.guardrails.language import open_detector
from mainstay.guardrails.port import UNKNOWN, Detector

__all__ = ["judge", "main", "microseconds"]

_LONG = (
    "We moved the whole archive to the new building last spring. Since then nobody has found the letters of 1911, "
    "although three people looked for them. I would like to know where they are kept, who may read them, and whether "
    "a copy can be sent by post. If that costs something, please tell me how much, and how long it takes. "
)


def judge(detector: Detector) -> dict[str, tuple[int, int, int]]:
    """Return how many texts of each kind were told right, wrong, and not told."""
    kinds: dict[str, list[tuple[str, str]]] = {
        "a few words": [(code, short) for code, (short, _) in SENTENCES.items()],
        "a sentence": [(code, long) for code, (_, long) in SENTENCES.items()],
        "two languages": [(UNKNOWN, text) for text in MIXED],
        "no language": [(UNKNOWN, text) for text in NOTHING],
    }
    result = {}
    for kind, texts in kinds.items():
        found = [(code, detector.detect(text).language) for code, text in texts]
        right = sum(code == language for code, language in found)
        untold = sum(code != language == UNKNOWN for code, language in found)
        result[kind] = (right, len(found) - right - untold, untold)
    return result


def microseconds(act: Callable[[], object], seconds: float = 0.2) -> float:
    """Return what one ``act`` takes: the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        count, start = 0, time.perf_counter()
        while (now := time.perf_counter()) - start < seconds / 5:
            for _ in range(20):
                act()
            count += 20
        best = min(best, (now - start) / count)
    return best * 1e6


def main() -> int:
    """Print a table of each detector and of all together."""
    detectors = {"together": open_detector()}
    for name, make in (("cld2", Cld2), ("fasttext", FastText)):
        try:
            detectors[name] = make()
        except ImportError:
            print(f"{name}: not installed")
    texts = {
        "a few words": [short for short, _ in SENTENCES.values()],
        "a sentence": [long for _, long in SENTENCES.values()],
        "a page": [_LONG * 8],
    }
    print(f"{len(SENTENCES)} languages; right / wrong / und")
    for name, detector in detectors.items():
        print(name)
        for kind, counts in judge(detector).items():
            print(f"  {kind:14}{' / '.join(map(str, counts))}")
        for kind, asked in texts.items():
            print(f"  {kind:14}{microseconds(partial(_detect, detector, asked)) / len(asked):.1f} µs")
    return 0


def _detect(detector: Detector, texts: list[str]) -> None:
    for text in texts:
        detector.detect(text)


if __name__ == "__main__":
    sys.exit(main())
