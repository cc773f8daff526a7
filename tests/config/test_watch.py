"""Edits are noticed, loaded when they are whole, and refused when they are wrong."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.config import Loaded, Watcher, load_config
from mainstay.core.errors import ConfigError

Write = Callable[..., Path]


def _port(port: int) -> str:
    return f"server: {{port: {port}}}\n"


def _watch(path: Path) -> Watcher:
    watcher = Watcher(path, {}, load_config(path, {}))
    assert _polls(watcher) == []
    return watcher


def _polls(watcher: Watcher, times: int = 5) -> list[Loaded | ConfigError]:
    return [news for news in (watcher.poll() for _ in range(times)) if news is not None]


def _ports(news: list[Loaded | ConfigError]) -> list[int | str]:
    return [one.config.server.port if isinstance(one, Loaded) else "refused" for one in news]


def test_nothing_is_new_until_something_is(write: Write) -> None:
    file = write(_port(1))
    watcher = _watch(file)
    os.utime(file, ns=(1, 1))
    assert _polls(watcher) == []
    write(_port(1) + "# a comment\n")
    assert _polls(watcher) == []


def test_an_edit_in_place_is_loaded_once(write: Write) -> None:
    watcher = _watch(write(_port(1)))
    write(_port(22))
    assert _ports(_polls(watcher)) == [22]
    assert watcher.current.config.server.port == 22


def test_a_file_put_in_place_of_the_other_is_seen_even_if_size_and_time_agree(write: Write) -> None:
    file = write(_port(1))
    watcher = _watch(file)
    other = write(_port(2), "mainstay.yaml.tmp")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert _ports(_polls(watcher)) == [2]


def test_a_file_still_being_written_is_left_alone(write: Write) -> None:
    file = write(_port(1))
    watcher = _watch(file)
    news = []
    for text in ("", "server:", "server: {", _port(333)):
        file.write_text(text)
        news.append(watcher.poll())
    assert news == [None] * 4
    assert _ports(_polls(watcher)) == [333]


def test_a_bad_edit_is_refused_once_and_the_last_good_stays(write: Write) -> None:
    watcher = _watch(write(_port(1)))
    write("server: {prot: 1}\n")
    [error] = _polls(watcher)
    assert isinstance(error, ConfigError)
    assert "did you mean 'port'?" in error.message
    assert watcher.current.config.server.port == 1
    write(_port(3))
    assert _ports(_polls(watcher)) == [3]


def test_the_last_good_is_news_again_after_a_bad_edit(write: Write) -> None:
    watcher = _watch(write(_port(1)))
    write("server: [\n")
    assert _ports(_polls(watcher)) == ["refused"]
    write(_port(1))
    assert _ports(_polls(watcher)) == [1]


def test_a_file_that_goes_away_is_refused_and_its_return_is_seen(write: Write) -> None:
    file = write(_port(1))
    watcher = _watch(file)
    file.unlink()
    assert _ports(_polls(watcher)) == ["refused"]
    write(_port(1))
    assert _ports(_polls(watcher)) == [1]


def test_a_change_between_loading_and_watching_is_seen(write: Write) -> None:
    file = write(_port(1))
    loaded = load_config(file, {})
    write(_port(2))
    assert _ports(_polls(Watcher(file, {}, loaded))) == [2]


def test_options_of_a_command_in_the_loaded_configuration_are_no_change(write: Write) -> None:
    file = write(_port(1))
    loaded = load_config(file, {})
    server = loaded.config.server.model_copy(update={"port": 9})
    overridden = dataclasses.replace(loaded, config=loaded.config.model_copy(update={"server": server}))
    watcher = Watcher(file, {}, overridden)
    assert _polls(watcher) == []
    assert watcher.current is overridden


def test_files_that_come_and_go_in_a_folder_are_seen(write: Write, tmp_path: Path) -> None:
    write(_port(1), "conf/a.yaml")
    watcher = _watch(tmp_path / "conf")
    more = write("identity: {required: false}\n", "conf/b.yaml")
    [news] = _polls(watcher)
    assert isinstance(news, Loaded)
    assert not news.config.identity.required
    more.unlink()
    [news] = _polls(watcher)
    assert isinstance(news, Loaded)
    assert news.config.identity.required


@pytest.mark.parametrize("there", [True, False])
def test_a_mounted_secret_that_changes_or_comes_is_seen(write: Write, there: bool) -> None:
    write("one\n", "key")
    file = write("providers: {o: {kind: openai, api_key: 'file:key'}}\n")
    watcher = _watch(file)
    if not there:
        write("providers: {o: {kind: openai, api_key: 'file:other'}}\n")
        assert _ports(_polls(watcher)) == ["refused"]
    write("two!\n", "key" if there else "other")
    [news] = _polls(watcher)
    assert isinstance(news, Loaded)
    assert news.config.providers["o"].api_key.get_secret_value() == "two!"  # type: ignore[union-attr]  # kind: openai
