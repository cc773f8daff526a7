"""Files are read in another process, which may break, hang or be left without harm to anyone else."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from mainstay.core.errors import Unavailable, Unreadable
from mainstay.reading.helper import Helper
from mainstay.reading.port import Limits, Work
from support.files import docx, picture, zipped

T = TypeVar("T")
TEXT = Work("document", b"A line.")


def run(act: Callable[[Helper], Awaitable[T]], program: str = "", **settings: float) -> T:
    """Run ``act`` with a helper whose processes are real, or run ``program``, which is Python."""

    async def go() -> T:
        own = {"program": (sys.executable, "-c", program)} if program else {}
        helper = Helper(**own, **settings)  # type: ignore[arg-type]  # settings, as they are
        try:
            return await act(helper)
        finally:
            await helper.aclose()

    return asyncio.run(go())


def pids(helper: Helper) -> list[int]:
    return [child._process.pid for child in helper._all]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_files_are_read_one_after_another_by_one_process() -> None:
    async def act(helper: Helper) -> tuple[list[str], list[int]]:
        assert pids(helper) == []
        texts = await asyncio.gather(*(helper.read(Work("document", f"{n}".encode()), 30) for n in range(5)))
        return [text.text for text in texts], pids(helper)

    texts, processes = run(act)
    assert texts == ["0", "1", "2", "3", "4"]
    assert len(processes) == 1
    assert not alive(processes[0])


def test_what_cannot_be_read_is_told_and_the_next_file_is_read_by_the_same_process() -> None:
    async def act(helper: Helper) -> None:
        cases = {
            "Office before 2007": Work("document", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
            "no document of a kind": Work("document", b"\x7fELF\0\0"),
            "no image of a kind": Work("image", b"A line."),
            "no Office document": Work("document", zipped({"a": "b"})),
            "unpacks to more": Work("document", docx("x" * 9000), limits=Limits(unpacked=1000)),
            "more text": Work("document", b"x" * 200, limits=Limits(characters=100)),
        }
        for said, work in cases.items():
            with pytest.raises(Unreadable, match=said):
                await helper.read(work, 30)
        assert (await helper.read(TEXT, 30)).text == "A line."
        assert len(pids(helper)) == 1

    run(act)


def test_a_process_that_takes_too_long_is_killed_and_another_takes_its_place() -> None:
    async def act(helper: Helper) -> None:
        for _ in range(2):
            with pytest.raises(Unreadable, match=r"longer than the 0\.2 s"):
                await helper.read(TEXT, 0.2)
            assert pids(helper) == []

    run(act, "import time; time.sleep(600)")


def test_a_process_that_dies_takes_only_its_file_along() -> None:
    async def act(helper: Helper) -> None:
        with pytest.raises(Unreadable, match="ended the process"):
            await helper.read(TEXT, 30)
        assert pids(helper) == []

    run(act, "import os, socket; socket.socket(fileno=0).recv(1); os._exit(9)")


def test_a_caller_who_leaves_stops_the_reading() -> None:
    async def act(helper: Helper) -> None:
        reading = asyncio.create_task(helper.read(TEXT, 30))
        while not pids(helper):
            await asyncio.sleep(0)
        (pid,) = pids(helper)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not alive(pid)

    run(act, "import time; time.sleep(600)")


def test_more_files_than_may_wait_are_refused() -> None:
    async def act(helper: Helper) -> None:
        waiting = [asyncio.create_task(helper.read(TEXT, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await helper.read(TEXT, 30)
        assert refused.value.retry_after
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(act, "import time; time.sleep(600)", processes=1, queue=2)


def test_a_process_that_reads_nothing_for_long_ends() -> None:
    async def act(helper: Helper) -> None:
        await helper.read(TEXT, 30)
        (pid,) = pids(helper)
        while alive(pid):
            await asyncio.sleep(0.005)
        assert pids(helper) == []
        assert (await helper.read(TEXT, 30)).text == "A line."

    run(act, idle=0.01)


def test_a_retired_helper_reads_on_and_keeps_no_process() -> None:
    async def act(helper: Helper) -> None:
        await helper.read(TEXT, 30)
        helper.retire()
        assert pids(helper) == []
        assert (await helper.read(TEXT, 30)).text == "A line."
        assert pids(helper) == []
        await helper.aclose()
        with pytest.raises(Unavailable):
            await helper.read(TEXT, 30)

    run(act)


def test_a_command_that_cannot_be_run_is_told() -> None:
    async def act() -> None:
        with pytest.raises(Unavailable, match="cannot be started"):
            await Helper(program=("/no/such/program",)).read(TEXT, 30)

    asyncio.run(act())


def test_the_process_knows_no_secret_of_its_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    seen = tmp_path / "seen"
    program = (
        f"import os, socket; open({str(seen)!r}, 'w').write(repr(dict(os.environ))); socket.socket(fileno=0).recv(1)"
    )

    async def act(helper: Helper) -> None:
        with pytest.raises(Unreadable):
            await helper.read(TEXT, 30)

    run(act, program)
    assert "PATH" in seen.read_text()
    assert "secret" not in seen.read_text()


def test_memory_is_limited() -> None:
    async def act(helper: Helper) -> None:
        data = zipped(
            {"word/document.xml": b"<w:document xmlns:w='u'><w:t>" + b"x" * 400_000_000 + b"</w:t></w:document>"}
        )
        with pytest.raises(Unreadable, match="more memory"):
            await helper.read(Work("document", data, limits=Limits(unpacked=10**9, characters=10**9)), 60)

    run(act, memory=600 * 1024 * 1024)


def test_the_text_in_a_picture_is_read() -> None:
    for package in ("rapidocr", "onnxruntime"):
        pytest.importorskip(package, reason="the extra 'modalities' is not installed")

    async def act(helper: Helper) -> None:
        read = await helper.read(Work("image", picture("Invoice 2041", "Due on 14 March 2031")), 120)
        assert read.how == "ocr"
        assert read.text == "Invoice 2041\nDue on 14 March 2031"
        empty = await helper.read(Work("image", picture()), 120)
        assert empty.text == ""

    run(act)
