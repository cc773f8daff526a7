"""Moderation by our own guards: what judges, joined with what opens and reads images. Nothing starts before its use."""

from mainstay.guardrails.moderation import Assessing
from mainstay.providers.config import GuardsConfig
from mainstay.reading import ocr, pixels
from mainstay.reading.config import ReadingConfig
from mainstay.reading.port import Limits, Text, Work
from mainstay.reading.service import Readers

__all__ = ["Moderation"]

_LIMITS = Limits(characters=1_000_000)


class Moderation:
    """What one worker moderates with, across generations of the configuration.

    Args:
        readers: what opens images, in processes of their own.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._settings = ReadingConfig()
        self._made: dict[bool, Assessing] = {}

    def renew(self, settings: ReadingConfig) -> None:
        """Take the settings of another generation."""
        self._settings = settings

    def assessor(self, row: GuardsConfig) -> Assessing:
        """Return what judges for a provider."""
        made = self._made.get(row.ocr)
        if made is None:
            opens = self._pixels if pixels.is_installed() else None
            words = self.words if row.ocr and ocr.is_installed() else None
            made = self._made[row.ocr] = Assessing(opens, words)
        return made

    async def _pixels(self, image: bytes, seconds: float) -> str:
        return (await self._read(Work("pixels", image, limits=_LIMITS), seconds)).text

    async def words(self, image: bytes, seconds: float) -> str:
        """Return the words in an image."""
        return (await self._read(Work("image", image, limits=_LIMITS), seconds)).text

    async def _read(self, work: Work, seconds: float) -> Text:
        return await self._readers.reader(self._settings).read(work, seconds)

    def close(self) -> None:
        """Judge nothing any more."""
        for made in self._made.values():
            made.close()
