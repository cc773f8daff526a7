"""A program as a server of tools: real processes, well behaved and not."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mainstay.tools.errors import ToolTrouble
from mainstay.tools.stdio import McpProgram, Program

pytestmark = pytest.mark.anyio
SCRIPT = str(Path(__file__).parents[1] / "support" / "tool_program.py")
SECRET = "tool-secret-0123456789"


@asynccontextmanager
async def running(how: str = "", *, command: tuple[str, ...] = (), **options: Any) -> AsyncIterator[McpProgram]:
    command = command or (sys.executable, SCRIPT, how)
    tools = McpProgram(Program(command, options.pop("folder", "."), (("TOOL_TOKEN", SECRET),), **options))
    try:
        yield tools
    finally:
        await tools.aclose()


async def trouble(work: Any) -> ToolTrouble:
    with pytest.raises(ToolTrouble) as caught:
        await work
    return caught.value


async def who(tools: McpProgram, owner: str) -> tuple[int, int, str]:
    """Return the process that serves ``owner``, how many calls it has had, and where it runs."""
    number, calls, folder = (await tools.run("who", {}, owner, 10)).text.split(" ", 2)
    return int(number), int(calls), folder


def lives(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(process: int) -> None:
    """Return once a process has ended."""
    async with asyncio.timeout(10):
        while lives(process):
            await asyncio.sleep(0.01)


async def test_tools_are_listed_and_run(tmp_path: Path) -> None:
    async with running(folder=str(tmp_path)) as tools:
        offers = {offer.name: offer for offer in await tools.offers(10)}
        assert set(offers) == {"add", "who", "secrets", "die", "slow", "fail", "flood", "child"}
        assert (await tools.run("add", {"a": 2, "b": 3}, "key", 10)).text == "5"
        assert (await tools.run("fail", {}, "key", 10)).failed
        results = await asyncio.gather(*(tools.run("add", {"a": n, "b": 0}, "key", 10) for n in range(20)))
        assert [result.text for result in results] == [str(n) for n in range(20)]
        assert (await who(tools, "key"))[2] == str(tmp_path)


async def test_the_official_packages_server_is_understood() -> None:
    code = (
        "from mcp.server import MCPServer\n"
        "server = MCPServer('t')\n"
        "@server.tool()\n"
        "def add(a: int, b: int) -> int:\n"
        "    'Add.'\n"
        "    return a + b\n"
        "server.run()\n"
    )
    async with running(command=(sys.executable, "-c", code)) as tools:
        (offer,) = await tools.offers(30)
        assert (offer.name, offer.description) == ("add", "Add.")
        assert (await tools.run("add", {"a": 2, "b": 3}, "", 10)).text == "5"


async def test_each_owner_has_a_process_of_its_own() -> None:
    async with running() as tools:
        first, other = await who(tools, "a"), await who(tools, "b")
        assert first[0] != other[0]
        assert (await who(tools, "a"))[:2] == (first[0], 2)


async def test_no_more_run_than_may_and_the_longest_unused_makes_room() -> None:
    async with running(processes=2) as tools:
        first, second = await who(tools, "a"), await who(tools, "b")
        third = await who(tools, "c")
        await gone(first[0])
        assert lives(second[0])
        busy = [asyncio.create_task(tools.run("slow", {}, owner, 30)) for owner in ("b", "c")]
        while not all(process.waiting for process in tools._running.values()):
            await asyncio.sleep(0)
        assert "too many" in (await trouble(tools.run("who", {}, "d", 5))).message
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        # What was given up was told to be, and the process serves on.
        assert await who(tools, "c") == (third[0], 4, third[2])


async def test_a_process_that_nobody_needs_ends() -> None:
    async with running(idle=0.05) as tools:
        process, _, _ = await who(tools, "a")
        await gone(process)
        assert (await who(tools, "a"))[0] != process


async def test_a_program_that_dies_takes_only_its_own_calls_along() -> None:
    async with running() as tools:
        kept = await who(tools, "b")
        assert (await trouble(tools.run("die", {}, "a", 5))).outcome == "unreachable"
        assert (await who(tools, "b"))[0] == kept[0]
        # It died young: it is not started again at once, and then it is.
        assert (await trouble(tools.run("who", {}, "a", 5))).message == "The tool's program cannot be run now."
        async with asyncio.timeout(10):
            while True:
                try:
                    await who(tools, "a")
                    break
                except ToolTrouble:
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("how", "outcome"), [("dead", "unreachable"), ("deaf", "timeout"), ("old", "broken"), ("absent", "unreachable")]
)
async def test_a_program_that_cannot_begin_is_told(how: str, outcome: str) -> None:
    command = ("/no/such/program",) if how == "absent" else ()
    async with running(how, command=command) as tools:
        assert (await trouble(tools.offers(1 if how == "deaf" else 10))).outcome == outcome
        assert not tools._running


async def test_a_folder_that_is_not_there_is_told() -> None:
    async with running(folder="/no/such/folder") as tools:
        assert (await trouble(tools.offers(5))).outcome == "unreachable"


async def test_a_run_that_takes_too_long_is_given_up_and_a_line_without_end_is_not_kept() -> None:
    async with running() as tools:
        process, _, _ = await who(tools, "a")
        assert (await trouble(tools.run("slow", {}, "a", 0.1))).outcome == "timeout"
        assert (await who(tools, "a"))[:2] == (process, 4)
        assert (await trouble(tools.run("flood", {}, "a", 20))).outcome == "unreachable"
        await gone(process)


async def test_it_knows_what_it_is_given_and_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-operators-own-0123456789")
    async with running(most=100_000) as tools:
        said = (await tools.run("secrets", {}, "a", 10)).text
        known = json.loads(said)
        # It is there, and is taken out of what the program says.
        assert known["TOOL_TOKEN"] == "[secret]"
        assert SECRET not in said
        assert "OPENAI_API_KEY" not in known
        assert "PATH" in known


async def test_what_a_program_started_ends_with_it() -> None:
    async with running() as tools:
        child = int((await tools.run("child", {}, "a", 10)).text)
        assert lives(child)
    await gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel to end it with its parent")
async def test_a_program_ends_with_a_worker_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, sys\n"
        "from mainstay.tools.stdio import McpProgram, Program\n"
        "async def main():\n"
        "    tools = McpProgram(Program((sys.executable, sys.argv[1], 'stays'), '.'))\n"
        "    print((await tools.run('who', {}, 'a', 10)).text.split()[0], flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, SCRIPT, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    said, _ = await parent.communicate()
    await gone(int(said))
