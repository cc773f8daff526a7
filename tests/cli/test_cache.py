import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import yaml

from mainstay.caching.exact import Exact
from mainstay.store.sealing import NullSeal
from support.answers import make_entry

Here = Callable[[str], tuple[int, str, str]]


def keep(home: Path) -> None:
    async def main() -> None:
        tier = Exact(home, memory=0, disk=1 << 20, wait=60, seal=NullSeal())
        for number in range(4):
            route = "chat" if number else "help"
            rests = (f"p{number}",)
            tier.put(bytes([number]) * 32, make_entry(source=f"rec-{number}", route=route, base="kb", rests=rests))
        await tier.aclose()

    (home).mkdir(exist_ok=True)
    asyncio.run(main())


def test_what_is_kept_is_counted_and_let_go(here: Here, tmp_path: Path) -> None:
    assert here("cache stats")[:2] == (0, "0 answers are kept, 0B.\n")
    keep(tmp_path / "var")
    told = json.loads(here("cache stats --json")[1])
    assert (told["answers"], told["routes"]) == (4, {"chat": 3, "help": 1})
    assert "chat: 3" in here("cache stats")[1]
    assert here("cache evict rec-1")[:2] == (0, "1 answers were let go.\n")
    assert here("cache evict --route help")[:2] == (0, "1 answers were let go.\n")
    assert json.loads(here("cache evict --knowledge kb --passage p2 --json")[1]) == {"evicted": 1}
    assert here("cache clear")[:2] == (0, "1 answers were let go.\n")


def test_what_is_to_go_is_named_in_one_way(here: Here) -> None:
    for words in ("", " rec-1 --route chat", " --passage p1", " --knowledge kb"):
        code, _, errors = here(f"cache evict{words}")
        assert code == 2
        assert "Name one of these" in errors


def test_a_semantic_cache_is_seen_switched_and_begun_anew(here: Here, tmp_path: Path) -> None:
    assert here("cache status")[:2] == (0, "No route has a semantic cache.\n")
    file = tmp_path / "mainstay.yaml"
    config = yaml.safe_load(file.read_text())
    route = next(iter(config["routes"]))
    config["routes"][route]["cache"] = {"semantic": {}}
    file.write_text(yaml.safe_dump(config))
    assert f"{route}: proving; 0 of 0 compared hits disagreed, at most 100.00% are wrong" in here("cache status")[1]
    assert "off (switched off: refunds)" in here(f"cache off {route} --why refunds")[1]
    assert json.loads(here("cache status --json")[1])[0]["state"] == "off"
    assert "proving" in here(f"cache on {route}")[1]
    assert "proving" in here(f"cache reset {route}")[1]
    code, _, errors = here("cache reset nobody")
    assert code == 2
    assert "has no semantic cache" in errors
