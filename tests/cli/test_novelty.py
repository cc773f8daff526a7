"""``mainstay novelty``: learn from a file or from records, score, compare, list, forget."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.core.clock import wall_ms
from mainstay.core.record import Content
from mainstay.encoders.minilm import is_installed
from mainstay.store.journal import Journal
from support.records import line, make_record

Here = Callable[[str], tuple[int, str, str]]
pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra 'guards' is not installed")

BILLS = [f"{ask} {thing}" for ask in ("Where is", "Please send", "Why two") for thing in ("bill", "order", "invoice")]
POEMS = ["Write a poem on rain", "A haiku about frogs", "Sing of the sea", "Rhyme on autumn", "An ode to bread"]


def leave(home: Path, texts: list[str], at: int, prefix: str) -> None:
    """Leave calls in a journal, as a worker does."""
    journal = Journal(home / "var" / "journal", 0)
    for number, text in enumerate(texts):
        body = json.dumps({"model": "assistant", "messages": [{"role": "user", "content": text}]})
        record = make_record(
            id=f"{prefix}{number:04}",
            at=at + number,
            path="/v1/chat/completions",
            route="assistant",
            outcome="ok",
            content=Content(body, ""),
        )
        journal.append(line(record))
    journal.close()


def test_a_history_from_records_is_scored_listed_and_forgotten(here: Here, tmp_path: Path) -> None:
    assert here("novelty fit assistant")[0] == 1
    leave(tmp_path, BILLS * 12, wall_ms() - 60_000, "r")
    code, out, _ = here("novelty fit assistant --since 1h")
    assert (code, "Learnt 108 requests of 'assistant' from records" in out) == (0, True)
    (path,) = (tmp_path / "var" / "novelty").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    usual = json.loads(here("novelty score assistant Bill? --json")[1])
    assert json.loads(here("novelty score assistant Boat --json")[1])["p"] <= usual["p"] <= 1
    assert "p = " in here("novelty score assistant Sonnets")[1]
    (row,) = json.loads(here("novelty list --json")[1])
    assert (row["route"], row["count"], row["source"]) == ("assistant", 108, "records")
    assert here("novelty list")[1].startswith("assistant\t108\trecords\t")
    assert here("novelty forget assistant")[0] == 0
    assert not path.exists()
    assert [here("novelty forget assistant")[0], here("novelty score assistant x")[0]] == [1, 1]


def test_a_file_of_texts_is_read_line_by_line(here: Here, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    rows = [json.dumps(text) if at % 2 else json.dumps({"text": text}) for at, text in enumerate(BILLS * 12)]
    file.write_text("\n".join(rows) + "\n\n")
    assert json.loads(here("novelty fit assistant --file texts.jsonl --json")[1])["source"] == "file"
    for wrong in ("{", "1", '{"txt": "x"}'):
        file.write_text(f'"x"\n{wrong}\n')
        code, _, errors = here("novelty fit assistant -f texts.jsonl")
        assert (code, "Line 2 of texts.jsonl" in errors) == (1, True)
    file.write_text('"x"\n')
    assert "at least 100" in here("novelty fit assistant -f texts.jsonl")[2]
    assert "no route 'nowhere'" in here("novelty fit nowhere -f texts.jsonl")[2]


def test_a_change_of_the_mix_is_an_alarm_and_more_of_the_same_is_none(here: Here, tmp_path: Path) -> None:
    day, now = 86_400_000, wall_ms()
    leave(tmp_path, [*BILLS, *BILLS[::-1]], now - 20 * day, "old")
    leave(tmp_path, BILLS, now - 5 * day, "same")
    code, out, _ = here("novelty drift assistant --days 15 --json")
    assert (code, json.loads(out)[0]["verdict"]) == (0, "as before")
    assert json.loads(here("novelty drift --days 1 --json")[1]) == []
    leave(tmp_path, POEMS * 6, now - 1 * day, "new")
    code, out, _ = here("novelty drift assistant --days 15 --json")
    (row,) = json.loads(out)
    assert (code, row["test"], row["before"], row["after"]) == (1, "mix", 18, 39)
    assert (row["verdict"], row["p"] < 0.01) == ("changed", True)
    assert "\tchanged" in here("novelty drift assistant --days 15")[1]
