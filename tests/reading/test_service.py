"""Steps are made of a route's configuration, and share their processes while these are set up alike."""

import asyncio

from mainstay.core.target import Target
from mainstay.reading.config import FetchConfig, ModalitiesConfig, ReadingConfig
from mainstay.reading.port import Work
from mainstay.reading.service import Readers
from mainstay.runtime.transport import open_transport

TARGETS = [Target("m", "p", "v", "m")]


def test_a_route_that_wants_nothing_read_has_no_step() -> None:
    assert Readers().steps(None, ReadingConfig(), TARGETS, None, open_transport()) == ()


def test_steps_share_a_helper_until_its_settings_change_and_closing_ends_all() -> None:
    async def run() -> None:
        readers, transport = Readers(), open_transport()
        config = ModalitiesConfig(fetch=FetchConfig(allow=("*",)))
        (first,) = readers.steps(config, ReadingConfig(), TARGETS, None, transport)
        (second,) = readers.steps(config, ReadingConfig(), TARGETS, None, transport)
        assert first._reader is second._reader
        (third,) = readers.steps(config, ReadingConfig(processes=2), TARGETS, None, transport)
        assert third._reader is not first._reader
        work = Work("document", b"Words.")
        # A call that began before the change reads on.
        assert (await first._reader.read(work, 30)).text == (await third._reader.read(work, 30)).text == "Words."
        await readers.aclose()
        await transport.aclose()

    asyncio.run(run())
