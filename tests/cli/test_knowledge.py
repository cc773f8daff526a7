"""``mainstay knowledge``: every verb, on a home of its own and without a server."""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.cli.main import main
from mainstay.core.clock import wall_ms

Run = Callable[..., tuple[int, str, str]]

CONFIG = """\
providers: {echo: {kind: echo}}
models: {parrot: {provider: echo}}
routes: {assistant: {targets: [parrot]}, clerk: {targets: [parrot], knowledge: handbook}}
knowledge: {handbook: {embedder: none}, archive: {embedder: none}, copy: {embedder: none}}
"""
WARRANTY = "# Warranty\n\nThe warranty of the lantern lasts two years from the day of delivery.\n"
SALARIES = "# Salaries\n\nThe salary of a keeper is forty crowns.\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return ``mainstay knowledge`` in a folder with a configuration; it takes words and returns what ``here`` does."""
    (tmp_path / "mainstay.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_HOME", raising=False)
    monkeypatch.delenv("MAINSTAY_URL", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mainstay", "knowledge", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, errors = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), out, errors

    return run


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Return a folder of documents."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "warranty.md").write_text(WARRANTY)
    (folder / "keepers.md").write_text("# Keepers\n\nA keeper trims the wick at dusk.\n")
    return folder


def found(run: Run, *words: str) -> list[dict[str, object]]:
    code, out, said = run("search", "handbook", *words, "--json")
    assert code == 0, said
    sources: list[dict[str, object]] = json.loads(out)["sources"]
    return sources


def test_a_folder_is_added_listed_shown_and_searched(run: Run, docs: Path) -> None:
    code, out, told = run("add", "handbook", "docs/", "--licence", "CC0")
    assert (code, out.split(";")[0]) == (0, "docs: 2 added")
    assert "Reading 1/2 docs/keepers.md" in told
    # Under no licence any more: that is a change of each.
    assert run("add", "handbook", "docs/")[1].startswith("docs: 2 changed")
    assert run("add", "handbook", "docs/")[1].startswith("docs: 2 unchanged")
    assert [line.split("\t")[:4] for line in run("list")[1].splitlines()][2] == ["handbook", "main", "2", "2"]
    assert [line.split("\t")[0] for line in run("show", "handbook")[1].splitlines()] == [
        "docs/keepers.md",
        "docs/warranty.md",
    ]
    shown = run("show", "handbook", "docs/warranty.md")[1]
    assert "title: Warranty" in shown
    (passage,) = re.findall(r"^p[0-9a-f]{24}", shown, re.M)
    assert "lasts two years" in run("show", "handbook", passage)[1]
    (first, *_) = found(run, "How long is the warranty?")
    assert (first["document"], first["passage"]) == ("docs/warranty.md", passage)
    assert run("search", "handbook", "warranty")[1].startswith("[1] docs/warranty.md (Warranty")
    assert run("search", "handbook", "zebra")[1] == "Nothing is found.\n"


def test_files_that_cannot_be_read_are_listed_and_fail_the_command_only_if_all_do(run: Run, docs: Path) -> None:
    (docs / "broken.md").write_text("---\ntitle: [\n---\nText.\n")
    code, out, told = run("add", "handbook", "docs/")
    assert (code, "2 added, 1 failed" in out, "docs/broken.md " in told) == (0, True, True)
    assert run("add", "handbook", "docs/", "--strict")[0] == 1
    assert run("add", "handbook", "docs/broken.md")[0] == 1
    code, _, said = run("add", "handbook", "lost/")
    assert (code, said) == (1, "mainstay: There is no file or folder 'lost/'.\n")
    assert run("add", "handbook")[0] == 1


def test_what_is_gone_from_a_folder_is_gone_from_the_base(run: Run, docs: Path) -> None:
    run("add", "handbook", "docs/")
    (docs / "warranty.md").unlink()
    assert "1 gone" in run("add", "handbook", "docs/")[1]
    assert found(run, "warranty") == []


def test_a_correction_holds_at_once_and_the_past_can_be_asked_for(run: Run, docs: Path) -> None:
    run("add", "handbook", "docs/")
    then = "2099-01-01"
    words = ("--replace", "two years", "--by", "three years")
    assert run("edit", "handbook", "docs/warranty.md", *words)[0] == 2
    assert run("edit", "handbook", "docs/warranty.md", *words, "--why", "New terms.")[0] == 0
    assert "three years" in str(found(run, "warranty")[0]["text"])
    assert "three years" in run("asof", "handbook", then, "warranty")[1]
    (line, *_) = run("history", "handbook", "docs/warranty.md")[1].splitlines()
    assert line.split("\t")[3:] == ["docs/warranty.md", "main", f"uid:{os.getuid()}", "New terms."]
    passage = str(found(run, "warranty")[0]["passage"])
    assert run("edit", "handbook", passage, "--text", "The warranty lasts a day.", "--why", "Less.")[0] == 0
    assert found(run, "warranty")[0]["text"] == "The warranty lasts a day."
    code, _, said = run("edit", "handbook", "docs/none.md", "--text", "x", "--why", "y")
    assert (code, said.startswith("mainstay: There is no document")) == (1, True)
    assert run("asof", "handbook", "soon", "warranty")[0] == 2


def test_what_is_retracted_is_not_read_again(run: Run, docs: Path) -> None:
    run("add", "handbook", "docs/")
    assert run("retract", "handbook", "docs/warranty.md", "--why", "Withdrawn.")[0] == 0
    assert "retracted before" in run("add", "handbook", "docs/", "--again")[1]
    assert found(run, "warranty") == []
    assert run("retract", "handbook", "docs/warranty.md", "--undo", "--why", "A mistake.")[0] == 0
    assert len(found(run, "warranty")) == 1
    assert run("retract", "handbook", "--fact", "trims the wick", "--erase", "--why", "Asked for.")[0] == 0
    assert found(run, "wick dusk") == []
    assert run("retract", "handbook", "--fact", "is nowhere", "--why", "Asked for.")[0] == 1
    ((number, what, _, _, who, why, erased),) = [
        line.split("\t") for line in run("retractions", "handbook")[1].splitlines()
    ]
    assert (what, who, why, erased) == ("fact", f"uid:{os.getuid()}", "Asked for.", "erased")
    assert run("retract", "handbook", number, "--undo", "--why", "A mistake.")[0] == 0
    assert json.loads(run("retractions", "handbook", "--json")[1]) == []


def test_documents_of_a_group_are_seen_by_that_group(run: Run, tmp_path: Path) -> None:
    (tmp_path / "salaries.md").write_text(SALARIES)
    assert run("add", "handbook", "salaries.md", "--group", "staff", "--field", "year=2026")[0] == 0
    assert len(found(run, "salary")) == len(found(run, "salary", "--group", "staff")) == 1
    assert found(run, "salary", "--public") == found(run, "salary", "--group", "guests") == []
    assert len(found(run, "salary", "--field", "year=2026")) == 1
    assert found(run, "salary", "--field", "year=2025") == []
    assert run("search", "handbook", "salary", "--public", "--group", "staff")[0] == 2


def test_a_version_is_built_compared_swapped_in_and_rolled_back(run: Run, docs: Path, tmp_path: Path) -> None:
    run("add", "handbook", "docs/")
    assert run("build", "handbook", "next")[1].startswith("'next' is ready")
    assert run("build", "handbook", "main")[0] == 1
    run("edit", "handbook", "docs/keepers.md", "--replace", "dusk", "--by", "dawn", "--why", "Summer.")
    assert run("swap", "handbook", "next")[0] == 1
    # What was edited meanwhile is brought over by building again.
    assert run("build", "handbook", "next")[1].startswith("'next' is ready")
    (tmp_path / "q.jsonl").write_text('{"question": "warranty", "relevant": ["docs/warranty.md"]}\n')
    code, out, said = run("eval", "handbook", "q.jsonl", "--version", "next", "--against", "main")
    assert code == 0, said
    assert [line.split("\t")[:3] for line in out.splitlines()[:2]] == [["next", "1", "1.0000"], ["main", "1", "1.0000"]]
    assert out.splitlines()[2] == "nDCG@10 +0.0000 (95 %: +0.0000 to +0.0000): no difference is shown."
    assert run("swap", "handbook", "next")[1] == "'next' is live.\n"
    run("edit", "handbook", "docs/warranty.md", "--replace", "two", "--by", "nine", "--why", "Kind.")
    assert run("diff", "handbook", "main", "next")[1].split("\t")[:2] == ["changed", "docs/warranty.md"]
    assert run("rollback", "handbook", "--why", "Worse.")[1] == "'main' is live again.\n"
    states = {line.split("\t")[0]: line.split("\t")[1] for line in run("versions", "handbook")[1].splitlines()}
    assert states == {"main": "live", "next": "retired"}
    assert run("eval", "handbook", "mainstay.yaml")[0] == 1
    assert run("eval", "handbook", "q.jsonl", "--learn")[1].startswith("The weight of meaning is 0.60, and was 0.60")


def test_a_base_is_exported_collected_and_imported(run: Run, docs: Path, tmp_path: Path) -> None:
    run("add", "handbook", "docs/")
    code, out, said = run("export", "handbook", "handbook.mainstay")
    assert (code, out.startswith("Wrote ")) == (0, True), said
    assert run("import", "copy", "handbook.mainstay")[1] == "'copy' has 2 documents, 2 passages.\n"
    assert run("import", "copy", "handbook.mainstay")[0] == 1
    assert run("import", "archive", "mainstay.yaml")[0] == 1
    assert run("gc", "handbook", "--keep", "0s")[1].startswith("Removed ")
    assert run("gc", "handbook", "--keep", "long")[0] == run("add", "handbook", "docs/", "--ttl", "long")[0] == 2


def test_what_is_too_old_is_listed_and_ends_with_1(
    run: Run, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("stale") == (0, "", "")
    source = "{path: docs, every: 10m}"
    (tmp_path / "mainstay.yaml").write_text(CONFIG.replace("{handbook: {", f"{{handbook: {{sources: [{source}], "))
    assert run("stale")[0] == 0  # nothing is known of a base without a file
    with monkeypatch.context() as hour_ago:
        hour_ago.setattr("mainstay.grounding.ingest.wall_ms", lambda: wall_ms() - 3_600_000)
        assert run("add", "handbook")[0] == 0
    (line,) = run("stale", "handbook")[1].splitlines()
    assert line.split("\t")[:3] == ["handbook", "source", "docs"]
    (tmp_path / "mainstay.yaml").write_text(CONFIG)
    with monkeypatch.context() as hour_ago:
        hour_ago.setattr("mainstay.grounding.ingest.wall_ms", lambda: wall_ms() - 3_600_000)
        run("add", "handbook", "docs/", "--ttl", "30m", "--again")
    code, out, _ = run("stale")
    assert code == 1
    assert [line.split("\t")[1:3] for line in out.splitlines()] == [
        ["document", "docs/keepers.md"],
        ["document", "docs/warranty.md"],
    ]
    assert found(run, "warranty") == []


def test_asking_without_a_gateway_shows_what_was_found_and_how_to_start_one(run: Run, docs: Path) -> None:
    run("add", "handbook", "docs/")
    code, out, said = run("ask", "handbook", "How long is the warranty?")
    assert (code, out.startswith("[1] docs/warranty.md")) == (0, True)
    assert said == "Nothing runs here, so nobody answers; start it with: mainstay up\n"
    run("add", "archive", "docs/")
    assert "knowledge: archive" in run("ask", "archive", "warranty")[2]


def test_changes_are_noted_in_the_audit_log(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    run("add", "handbook", "docs/")
    run("retract", "handbook", "docs/warranty.md", "--why", "Withdrawn.")
    monkeypatch.setattr(sys, "argv", ["mainstay", "audit", "list", "--action", "knowledge", "--json"])
    with pytest.raises(SystemExit):
        main()
    events = json.loads(capsys.readouterr().out)
    assert [(one["action"], one["subject"]) for one in events] == [
        ("knowledge.retract", "knowledge:handbook"),
        ("knowledge.add", "knowledge:handbook"),
    ]
    assert "warranty" not in json.dumps(events)


@pytest.mark.parametrize("line", ["show", "search x", "history", "versions", "gc", "swap x", "rollback", "diff 7d"])
def test_a_base_that_is_not_there_is_one_sentence(run: Run, line: str) -> None:
    verb, *rest = line.split()
    assert run(verb, "nowhere", *rest) == (1, "", "mainstay: There is no knowledge base 'nowhere'.\n")


def test_rows_of_a_table_are_documents_as_the_command_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("key,question,answer\na,Why?,So.\nb,How?,Thus.\n")
    words = ("add", "handbook", "faq.csv", "--text", "answer", "--id", "key")
    assert run(*words)[1].startswith("faq.csv: 2 added")
    assert found(run, "Thus")[0]["document"] == "faq.csv#b"
    assert found(run, "Thus")[0]["text"] == "Thus."
    assert "1 added, 2 gone" in run("add", "handbook", "faq.csv", "--whole")[1]
    assert found(run, "Thus")[0]["document"] == "faq.csv"


def test_sources_of_the_configuration_are_listed_as_they_stand(run: Run, docs: Path, tmp_path: Path) -> None:
    assert run("sources", "handbook") == (0, "", "")
    (tmp_path / "mainstay.yaml").write_text(
        CONFIG.replace("{embedder: none}", "{sources: [{path: docs, every: 1h}]}", 1)
    )
    assert run("sources", "handbook")[1].split("\t")[2:4] == ["1h", "never"]
    assert run("add", "handbook")[0] == 0
    cells = run("sources", "handbook")[1].split("\t")
    assert (cells[0], cells[3] != "never", cells[5]) == ("docs", True, "2")
    assert json.loads(run("sources", "handbook", "--json")[1])[0]["documents"] == 2
    assert run("sources", "lost")[0] == 1


def test_what_makes_no_sense_is_a_sentence_and_changes_nothing(run: Run, docs: Path, tmp_path: Path) -> None:
    run("add", "handbook", "docs/")
    (tmp_path / "junk").write_bytes(b"junk")
    for words, said in (
        (("export", "handbook", "lost/x"), "cannot be written"),
        (("export", "handbook", "docs"), "cannot be written"),
        (("import", "third", "junk"), "not an archive"),
        (("import", "third", "lost"), "There is no file"),
        (("edit", "handbook", "docs/keepers.md", "--text", " ", "--why", "x"), "retract it"),
        (("build", "handbook", "a b"), "choose another name"),
        (("add", "a/b", "docs"), "choose another name"),
    ):
        code, _, told = run(*words)
        assert (code, said in told, "Traceback" in told) == (1, True, False), words
    assert "third" not in run("list")[1]
    assert len(found(run, "wick dusk")) == 1
