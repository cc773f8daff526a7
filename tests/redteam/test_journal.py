"""The journal: what is written is there again, torn lines are dropped, runs are not mixed, secrets are masked."""

import stat
from pathlib import Path

import msgspec
import pytest

from mainstay.core.errors import ConfigError, StartError
from mainstay.redteam.journal import EXCERPT, About, Journal, Mask, Result

ABOUT = About("assistant", "weak", "d1", 3, "phrases", 1)
ONE, TWO = Result("a.plain.single", "guarded", "held", calls=1), Result("a.plain.single", "baseline", "success", "leak")


def test_what_is_written_is_there_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run", ABOUT)
    journal.add(ONE)
    journal.add(TWO)
    journal.close()
    again = Journal(tmp_path / "run", msgspec.structs.replace(ABOUT, at=2))
    assert again.results == {("a.plain.single", "guarded"): ONE, ("a.plain.single", "baseline"): TWO}
    assert again.about == ABOUT
    again.close()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_torn_line_is_dropped_and_written_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ABOUT)
    journal.add(ONE)
    journal.close()
    file = tmp_path / "results.jsonl"
    file.write_bytes(file.read_bytes() + b'{"case":"a.pl')
    again = Journal(tmp_path, ABOUT)
    assert list(again.results) == [("a.plain.single", "guarded")]
    again.add(TWO)
    again.close()
    assert len(file.read_bytes().splitlines()) == 2


def test_an_error_is_tried_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ABOUT)
    journal.add(Result("b", "guarded", "error", "status 500"))
    journal.close()
    again = Journal(tmp_path, ABOUT)
    assert again.results == {}
    again.close()


def test_another_run_is_refused_and_a_fresh_one_begins_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ABOUT)
    journal.add(ONE)
    journal.close()
    other = msgspec.structs.replace(ABOUT, digest="d2")
    with pytest.raises(ConfigError, match="another run"):
        Journal(tmp_path, other)
    fresh = Journal(tmp_path, other, fresh=True)
    assert fresh.results == {}
    fresh.close()


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ABOUT)
    with pytest.raises(StartError, match="Another run is at work"):
        Journal(tmp_path, ABOUT)
    journal.close()


@pytest.mark.parametrize("name", ["run.json", "results.jsonl"])
def test_a_damaged_file_is_said(tmp_path: Path, name: str) -> None:
    Journal(tmp_path, ABOUT).close()
    (tmp_path / name).write_text("{]\n")
    with pytest.raises(ConfigError, match="damaged"):
        Journal(tmp_path, ABOUT)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot be written"):
        Journal(tmp_path / "file" / "run", ABOUT)


def test_transcripts_are_kept_only_when_asked_for(tmp_path: Path) -> None:
    for keep in (False, True):
        journal = Journal(tmp_path / str(keep), ABOUT, keep=keep)
        journal.add(ONE, [{"role": "user", "content": "Hello"}])
        journal.close()
    assert not (tmp_path / "False" / "transcripts.jsonl").exists()
    row = msgspec.json.decode((tmp_path / "True" / "transcripts.jsonl").read_bytes())
    assert row == {"case": ONE.case, "side": "guarded", "messages": [{"role": "user", "content": "Hello"}]}


def test_secrets_and_named_words_are_masked_before_the_cut() -> None:
    mask = Mask(["harvest-7731"])
    key = "AKIAQ3EGRZZFWHX2P7VD"
    text = "x" * (EXCERPT - 8) + f" {key} and HARVEST7731"
    assert "AKIA" not in mask.excerpt(text)
    shown = mask.excerpt(f"My key is {key}, the word HARVEST-7731, and that is all.")
    assert key not in shown
    assert "HARVEST" not in shown
    assert shown.startswith("My key is [")
    assert len(mask.excerpt("word " * 200)) == EXCERPT + 1
