"""What of the configuration shapes a route's answers is part of its keys, and nothing else is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstay.assembly.caches import Caches, open_tier, shape_of
from mainstay.assembly.targets import target_of
from mainstay.caching.exact import Exact
from mainstay.config import load_config
from mainstay.store.sealing import NullSeal


def config(**route: Any) -> dict[str, Any]:
    return {
        "providers": {"echo": {"kind": "echo"}},
        "models": {"a": {"provider": "echo"}, "b": {"provider": "echo"}},
        "prompts": {"p": "Be brief."},
        "routes": {"r": {"targets": ["a"], "cache": "1h", **route}},
    }


def shape(tmp_path: Path, document: dict[str, Any]) -> bytes:
    path = tmp_path / "mainstay.yaml"
    path.write_text(yaml.safe_dump(document))
    loaded = load_config(path).config
    targets = {
        name: target_of(name, row, loaded.providers[row.provider], None, None, {}, None, None)
        for name, row in loaded.models.items()
    }
    return shape_of("r", loaded.routes["r"], loaded, targets)


@pytest.mark.parametrize(
    "route",
    [
        {"timeouts": {"total": "9s"}},
        {"attempts": 2},
        {"content": "full"},
        {"cache": {"lifetime": "2h", "scope": "all"}},
        {"single_flight": True},
    ],
)
def test_settings_that_change_no_word_keep_what_is_kept(tmp_path: Path, route: dict[str, Any]) -> None:
    assert shape(tmp_path, config(**route)) == shape(tmp_path, config())


@pytest.mark.parametrize(
    "route",
    [
        {"targets": ["b"]},
        {"fallback": ["b"]},
        {"prompt": "p"},
        {"pin": {"temperature": 0}},
        {"form": {"enforce": "always"}},
        {"rails": {"mail": {"where": ["output"], "what": "personal", "do": "mask"}}},
    ],
)
def test_settings_that_shape_answers_begin_anew(tmp_path: Path, route: dict[str, Any]) -> None:
    assert shape(tmp_path, config(**route)) != shape(tmp_path, config())


def test_another_model_behind_the_name_and_another_text_of_the_prompt_begin_anew(tmp_path: Path) -> None:
    plain, other = config(prompt="p"), config(prompt="p")
    other["models"]["a"]["name"] = "another"
    assert shape(tmp_path, other) != shape(tmp_path, plain)
    other = config(prompt="p")
    other["prompts"]["p"] = "Be long."
    assert shape(tmp_path, other) != shape(tmp_path, plain)
    other = config(prompt="p")
    other["models"]["a"]["price"] = {"input": 1, "output": 1}
    assert shape(tmp_path, other) == shape(tmp_path, plain)


def test_what_keeps_answers_is_what_the_configuration_says(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    from mainstay.caching.config import CacheConfig
    from mainstay.caching.redis import RedisTier

    assert isinstance(open_tier(CacheConfig(), tmp_path, NullSeal()), Exact)
    assert isinstance(open_tier(CacheConfig(url="redis://127.0.0.1:1"), tmp_path, NullSeal()), RedisTier)


def test_an_edit_of_where_answers_lie_holds_for_the_calls_after_it(tmp_path: Path) -> None:
    from mainstay.caching.config import CacheConfig

    async def main() -> None:
        caches = Caches(tmp_path, NullSeal())
        first = caches._open(CacheConfig())
        same = caches._open(CacheConfig(memory="1MiB", disk="2MiB", wait="1s"))
        other = caches._open(CacheConfig(disk=0))
        back = caches._open(CacheConfig())
        assert (first is same, other is first, back is other) == (True, False, False)
        # A call that began before an edit ends with what it began with.
        assert await first.get(b"k" * 32) is None
        await caches.aclose()

    asyncio.run(main())
