"""The conformance of readers: they answer with text or say why not, in words that end a sentence about the part."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mainstay.core.errors import Unreadable
from mainstay.reading.helper import Helper
from mainstay.reading.null import NullReader, NullTranscriber
from mainstay.reading.port import Reader, Text, Work

CALL: Any = object()


@pytest.mark.parametrize("make", [NullReader, Helper])
def test_a_reader_answers_or_refuses_and_closes_twice(make: Callable[[], Reader]) -> None:
    async def run() -> None:
        reader = make()
        for data in (b"text", b"\x7fELF\0", b""):
            (result,) = await asyncio.gather(reader.read(Work("document", data), 30), return_exceptions=True)
            if isinstance(result, Unreadable):
                assert result.message[0].islower()
                assert not result.message.endswith(".")
            else:
                assert isinstance(result, Text)
        await reader.aclose()
        await reader.aclose()

    asyncio.run(run())


def test_nothing_is_heard_without_a_model_and_that_is_told() -> None:
    with pytest.raises(Unreadable, match=r"name one as 'modalities\.audio'"):
        asyncio.run(NullTranscriber().transcribe(CALL, b"", "wav"))
