"""From a route's configuration to its step on the line, and what all steps of a worker share."""

from collections.abc import Sequence

from mainstay.core.ports import Transcriber, Transport
from mainstay.core.target import Target
from mainstay.reading.config import ModalitiesConfig, ReadingConfig
from mainstay.reading.fetch import Fetcher
from mainstay.reading.helper import Helper
from mainstay.reading.port import Reader
from mainstay.reading.stage import Read, reading_rule

__all__ = ["Readers"]


class Readers:
    """What one worker reads with, across generations of the configuration. No process starts before the first file."""

    def __init__(self) -> None:
        self._settings: ReadingConfig | None = None
        self._helper: Helper | None = None
        self._past: list[Helper] = []

    def steps(
        self,
        modalities: ModalitiesConfig | None,
        settings: ReadingConfig,
        targets: Sequence[Target],
        transcriber: Transcriber | None,
        transport: Transport,
    ) -> tuple[Read, ...]:
        """Return the step that reads for the models of a route, if the route wants one.

        Args:
            modalities: what the route says.
            settings: of the processes.
            targets: the route's models, its fallbacks among them.
            transcriber: hears recordings, or None.
            transport: fetches files.
        """
        if modalities is None:
            return ()
        fetcher = Fetcher(modalities.fetch, transport) if modalities.fetch is not None else None
        return (Read(reading_rule(modalities), targets, self.reader(settings), transcriber, fetcher),)

    def reader(self, settings: ReadingConfig) -> Reader:
        """Return what reads files under ``settings``."""
        if self._helper is None or settings != self._settings:
            if self._helper is not None:
                # Calls under way may still have something to read.
                self._helper.retire()
                self._past.append(self._helper)
            self._settings = settings
            self._helper = Helper(settings.processes, memory=settings.memory, queue=settings.queue, idle=settings.idle)
        return self._helper

    async def aclose(self) -> None:
        """End every process."""
        for helper in (*self._past, *((self._helper,) if self._helper is not None else ())):
            await helper.aclose()
