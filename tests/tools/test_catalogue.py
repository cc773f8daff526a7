"""Lists of tools: asked for once, asked for again beside the calls, and done without where a server is away."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from mainstay.core.call import Caller
from mainstay.tools import catalogue
from mainstay.tools.catalogue import Grant, Listing, gather_kit
from mainstay.tools.errors import ToolTrouble
from mainstay.tools.null import NoTools
from mainstay.tools.port import Offer, Result

pytestmark = pytest.mark.anyio
ANYONE = Caller("1", "alice", "red")


class Shelf:
    """A server whose tools are set by hand; None: it is away."""

    def __init__(self, *names: str) -> None:
        self.names: tuple[str, ...] | None = names
        self.asked = 0

    async def offers(self, limit: float) -> Sequence[Offer]:
        self.asked += 1
        if self.names is None:
            raise ToolTrouble("unreachable", "Away.")
        return [Offer(name, "", msgspec.Raw(b"{}")) for name in self.names]

    async def run(self, tool: str, arguments: Mapping[str, Any], owner: str, limit: float) -> Result:
        return Result(tool)

    async def aclose(self) -> None:
        return


async def names(*grants: Grant, taken: frozenset[str] = frozenset()) -> list[str]:
    return list((await gather_kit(grants, ANYONE, taken, 5)).tools)


async def settled(listing: Listing) -> None:
    while listing._asking is not None:
        await asyncio.sleep(0)


async def test_a_list_is_asked_for_once_and_cut_to_what_may_be_used() -> None:
    shelf = Shelf("a", "b", "c")
    listing = Listing("s", shelf, frozenset("ab"))
    assert await names(Grant(listing)) == ["s__a", "s__b"]
    assert await names(Grant(listing, frozenset("b"))) == ["s__b"]
    assert await names(Grant(listing), taken=frozenset({"s__a"})) == ["s__b"]
    assert shelf.asked == 1


async def test_a_list_that_is_old_serves_while_it_is_asked_for_again() -> None:
    shelf = Shelf("a")
    listing = Listing("s", shelf, refresh=0)
    assert await names(Grant(listing)) == ["s__a"]
    shelf.names = ("b",)
    assert await names(Grant(listing)) == ["s__a"]
    await settled(listing)
    assert await names(Grant(listing)) == ["s__b"]
    await settled(listing)
    # One that goes away later leaves the last list: its calls say what is wrong.
    shelf.names = None
    await names(Grant(listing))
    await settled(listing)
    assert await names(Grant(listing)) == ["s__b"]
    await listing.aclose()


async def test_a_server_that_is_away_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    shelf.names = None
    now = 100.0
    monkeypatch.setattr(catalogue, "monotonic", lambda: now)
    listing = Listing("s", shelf)
    for _ in range(3):
        kit = await gather_kit([Grant(listing)], ANYONE, frozenset(), 5)
        assert (kit.tools, kit.missing) == ({}, ("s",))
    assert shelf.asked == 1
    now, shelf.names = 111.0, ("a",)
    assert await names(Grant(listing)) == ["s__a"]


async def test_names_are_such_as_every_vendor_takes_and_none_comes_twice() -> None:
    listing = Listing("s", Shelf("a.b", "a/b", "x" * 100, "x" * 99 + "y"))
    found = await names(Grant(listing))
    assert len(set(found)) == 4
    assert found[0] == "s__a_b"
    assert all(len(name) <= 64 and name.replace("_", "").isalnum() for name in found)


async def test_only_those_who_may_are_admitted() -> None:
    listing = Listing("s", NoTools())
    for keys, teams, admitted in (
        ((), (), True),
        (("alice",), (), True),
        (("bob",), (), False),
        ((), ("red",), True),
        (("bob",), ("blue",), False),
    ):
        grant = Grant(listing, keys=frozenset(keys), teams=frozenset(teams))
        assert grant.admits(ANYONE) is admitted
    nobody = Grant(listing, keys=frozenset({"alice"}), teams=frozenset({"red"}))
    assert not nobody.admits(Caller("2"))


async def test_no_tools_is_a_server_too() -> None:
    none = NoTools()
    assert await none.offers(1) == ()
    with pytest.raises(ToolTrouble):
        await none.run("a", {}, "key", 1)
    await none.aclose()
