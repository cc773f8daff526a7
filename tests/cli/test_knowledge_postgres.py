"""``mainstay knowledge`` on bases in PostgreSQL: the same verbs, and no word of a password."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.cli.main import main
from support.postgres import Server

Run = Callable[..., tuple[int, str, str]]

CONFIG = """\
providers: {echo: {kind: echo}}
models: {parrot: {provider: echo}}
routes: {clerk: {targets: [parrot], knowledge: handbook}}
knowledge:
  handbook: {embedder: none, store: "${KNOWLEDGE_URL}"}
  copy: {embedder: none, store: {url: "${KNOWLEDGE_URL}", vectors: hnsw}}
  filed: {embedder: none}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return ``mainstay`` in a folder with a configuration; it takes words and returns its code and what it said."""
    (tmp_path / "mainstay.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_HOME", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mainstay", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, errors = capfd.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), out, errors

    return run


def test_every_verb_works_on_a_base_in_postgresql(
    run: Run, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOWLEDGE_URL", postgres.database())

    def done(*words: str) -> str:
        code, out, errors = run("knowledge", *words)
        assert code == 0, errors
        return out

    def said(*words: str) -> list[str]:
        return [one["text"] for one in json.loads(done("search", "handbook", *words, "--json"))["sources"]]

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "warranty.md").write_text("# Warranty\n\nThe warranty lasts two years.\n")
    (tmp_path / "docs" / "keepers.md").write_text("# Keepers\n\nA keeper trims the wick at dusk.\n")
    assert run("knowledge", "show", "handbook")[2] == "mainstay: There is no knowledge base 'handbook'.\n"
    assert done("add", "handbook", "docs/").startswith("docs: 2 added")
    assert done("add", "handbook", "docs/").startswith("docs: 2 unchanged")
    assert not list((tmp_path / "var" / "knowledge").glob("*.db"))
    assert [line.split("\t")[:4] for line in done("list").splitlines() if "handbook" in line] == [
        ["handbook", "main", "2", "2"]
    ]
    assert said("warranty") == ["# Warranty\n\nThe warranty lasts two years."]
    (passage,) = re.findall(r"^p[0-9a-f]{24}", done("show", "handbook", "docs/warranty.md"), re.M)
    assert "lasts two years" in done("show", "handbook", passage)
    done("edit", "handbook", "docs/warranty.md", "--replace", "two", "--by", "three", "--why", "New terms.")
    assert said("warranty") == ["# Warranty\n\nThe warranty lasts three years."]
    assert "three years" in done("asof", "handbook", "2099-01-01", "warranty")
    assert "New terms." in done("history", "handbook", "docs/warranty.md")
    assert done("build", "handbook", "next").startswith("'next' is ready")
    assert done("swap", "handbook", "next") == "'next' is live.\n"
    done("retract", "handbook", "--fact", "trims the wick", "--erase", "--why", "Asked for.")
    assert done("rollback", "handbook", "--why", "Worse.") == "'main' is live again.\n"
    assert said("wick dusk") == []
    assert done("export", "handbook", "handbook.mainstay").startswith("Wrote ")
    assert done("import", "copy", "handbook.mainstay") == "'copy' has 2 documents, 1 passages.\n"
    # From one kind of store to the other.
    assert done("import", "filed", "handbook.mainstay") == "'filed' has 2 documents, 1 passages.\n"
    assert done("gc", "handbook", "--keep", "0s").startswith("Removed ")
    assert said("warranty") == ["# Warranty\n\nThe warranty lasts three years."]


def test_a_server_that_is_away_is_one_sentence_without_its_password(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOWLEDGE_URL", f"postgresql://clerk:s3cret@/none?host={tmp_path}")
    code, out, errors = run("knowledge", "search", "handbook", "warranty")
    assert code == 1
    assert errors.splitlines()[-1] == "mainstay: The knowledge base 'handbook' cannot be reached; try again shortly."
    assert "s3cret" not in out + errors
    assert "s3cret" not in run("config", "show")[1]


def test_without_the_driver_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOWLEDGE_URL", "postgresql://clerk@/none")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    code, _, errors = run("knowledge", "search", "handbook", "warranty")
    assert (code, errors) == (
        1,
        "mainstay: A knowledge base in PostgreSQL needs psycopg: install mainstay with the extra 'postgres'.\n",
    )
