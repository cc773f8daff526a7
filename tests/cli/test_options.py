"""What several commands take: the configuration is found the same way by all of them."""

import re

import pytest

from mainstay.cli.options import find_config
from mainstay.core.errors import ConfigError


def test_the_configuration_of_the_folder_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        find_config(None)
    (tmp_path / "mainstay.yml").touch()
    assert find_config(None).name == "mainstay.yml"
    (tmp_path / "mainstay.yaml").touch()
    assert find_config(None).name == "mainstay.yaml"
    assert find_config(tmp_path) == tmp_path


ABOUT_A_CONFIGURATION = ["keys list", "records list", "models", "check", "config show"]


@pytest.mark.parametrize("line", ["keys create alice", *ABOUT_A_CONFIGURATION])
def test_every_command_takes_the_configuration_of_its_folder(here, line: str) -> None:
    code, _, said = here(line)
    assert code == 0, said


@pytest.mark.parametrize("line", ["serve", "records show x", *ABOUT_A_CONFIGURATION])
def test_a_folder_without_a_configuration_is_one_sentence_and_exit_code_2(here, tmp_path, line: str) -> None:
    (tmp_path / "mainstay.yaml").unlink()
    code, out, said = here(line)
    assert (code, out) == (2, "")
    (sentence,) = said.splitlines()
    assert sentence.startswith("mainstay: There is no mainstay.yaml in this folder; name a configuration with --config")


@pytest.mark.parametrize("line", ["serve -c", "keys list -c", "records list -c", "models -c", "config show"])
def test_a_configuration_that_is_not_there_is_one_sentence_and_exit_code_2(here, line: str) -> None:
    assert here(f"{line} lost.yaml") == (2, "", "mainstay: lost.yaml: cannot be read: no such file or directory\n")


@pytest.mark.parametrize("line", ["keys list", "records list", "models pull smollm2-135m-instruct"])
def test_a_home_that_cannot_be_written_is_one_sentence_and_exit_code_1(here, tmp_path, line: str) -> None:
    (tmp_path / "var").touch()
    code, out, said = here(line)
    assert (code, out) == (1, "")
    assert re.search(r"^mainstay: .*(is a file where a directory is needed|Cannot write to )", said.splitlines()[-1])
