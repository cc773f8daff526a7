import asyncio
import json
from collections.abc import Callable
from pathlib import Path

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
