"""Files of policies: found, checked with file and line, watched, and part of what identifies a configuration."""

from pathlib import Path

import pytest

from mainstay.config import check, load_config
from mainstay.config.watch import Watcher
from mainstay.core.errors import ConfigError

ALL = "permit(principal, action, resource);"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "b.cedar").write_text(f'@id("b") {ALL}')
    (tmp_path / "rules" / "a.cedar").write_text(f'@id("a") {ALL}')
    (tmp_path / "rules" / "notes.txt").write_text("no policy")
    (tmp_path / "mainstay.yaml").write_text("policies: rules\n")
    return tmp_path / "mainstay.yaml"


def names(file: Path) -> list[str]:
    return [Path(one.path).name for one in load_config(file, {}).policies]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("policies: rules", ["a.cedar", "b.cedar"]),
        ("policies: {files: [rules/]}", ["a.cedar", "b.cedar"]),
        ("policies: {files: [rules/b.cedar]}", ["b.cedar"]),
        ("policies: {files: ['rules/*.cedar', rules/a.cedar]}", ["a.cedar", "b.cedar"]),
        ("policies: {}", []),
        ("", []),
    ],
)
def test_a_file_a_folder_and_a_pattern_are_found_once_each_by_name(file: Path, written: str, found: list[str]) -> None:
    file.write_text(f"server: {{port: 0}}\n{written}\n")
    assert names(file) == found


def test_an_entry_that_matches_nothing_is_refused(file: Path) -> None:
    file.write_text("policies: {files: [rules, other/*.cedar]}")
    [problem] = check(file, {}).problems
    assert (problem.line, problem.path) == (1, "policies.files[1]")


def test_what_is_wrong_in_a_policy_is_told_with_its_own_file_and_line(file: Path) -> None:
    (file.parent / "rules" / "b.cedar").write_text(f"{ALL}\n\nforbid(principal, action, resorce);")
    (file.parent / "rules" / "a.cedar").write_bytes(b"\xff")
    problems = check(file, {}).problems
    assert [(Path(one.file).name, one.line) for one in problems] == [("mainstay.yaml", 1), ("b.cedar", 3)]


def test_without_the_package_it_says_what_to_install(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.config.policies.is_installed", lambda: False)
    [problem] = check(file, {}).problems
    assert "mainstay[policy]" in str(problem)


def test_an_edit_of_a_policy_is_another_configuration(file: Path) -> None:
    before = load_config(file, {}).hash
    (file.parent / "rules" / "a.cedar").write_text(f'@id("other") {ALL}')
    assert load_config(file, {}).hash != before


def test_edits_additions_and_faults_of_policies_are_noticed(file: Path) -> None:
    watcher = Watcher(file, {}, load_config(file, {}))
    assert [watcher.poll() for _ in range(3)] == [None] * 3
    added = file.parent / "rules" / "c.cedar"
    added.write_text(f'@id("c") {ALL}')
    assert watcher.poll() is None
    loaded = watcher.poll()
    assert loaded is not None
    assert not isinstance(loaded, ConfigError)
    assert len(loaded.policies) == 3
    assert [watcher.poll() for _ in range(3)] == [None] * 3
    added.write_text("permit(;")
    assert watcher.poll() is None
    refused = watcher.poll()
    assert isinstance(refused, ConfigError)
    assert "c.cedar:1" in refused.message
    assert watcher.current is loaded
