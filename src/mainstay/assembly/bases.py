"""Knowledge as the command line and the control process open it: with what reads, fetches, embeds, and audits."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from mainstay.assembly.embedders import AskModel, Embedders, ask_gateway
from mainstay.assembly.knowledge_reading import KnowledgeReading, open_suspect
from mainstay.assembly.searching import manner_of_row
from mainstay.caching.service import open_shelf
from mainstay.config.load import Loaded
from mainstay.core.audit import Details
from mainstay.core.errors import Unavailable
from mainstay.grounding.chunks import Sizes
from mainstay.grounding.config import KnowledgeConfig
from mainstay.grounding.port import Embedder
from mainstay.grounding.reports import Tools
from mainstay.grounding.service import Knowledge, Note
from mainstay.reading.config import ReadingConfig

if TYPE_CHECKING:  # the database library costs a third of a second
    from sqlalchemy import Engine

    from mainstay.grounding.search import Manner

__all__ = ["Opened", "auditor", "open_knowledge"]

_log = structlog.get_logger("mainstay.knowledge")


def open_knowledge(loaded: Loaded, who: str, note: Note | None = None, ask: AskModel | None = None) -> "Opened":
    """Return the knowledge of a configuration, for the block. What a change takes out drops the kept answers that rest
    on it.

    Args:
        loaded: the configuration.
        who: who makes changes, as the audit log has it.
        note: told of each change.
        ask: how a configured model of embeddings is asked; over the running gateway when not given.
    """
    return Opened(loaded, who, note, ask)


def auditor(engine: "Engine", who: str) -> Note:
    """Return what notes changes in the audit log."""

    def note(action: str, subject: str, details: Details) -> None:
        from mainstay.store.audit import record_event
        from mainstay.store.sql import writing

        with writing(engine) as connection:
            record_event(engine, connection, who, action, subject, details)

    return note


class Opened:
    """Opens knowledge for a block, and ends what was started for it."""

    def __init__(self, loaded: Loaded, who: str, note: Note | None, ask: AskModel | None) -> None:
        config = loaded.config
        self._kit = _Kit(config.reading, Embedders(config, ask or ask_gateway(loaded.home)), loaded.home)
        self._kept = open_shelf(config.cache, loaded.home)
        self._knowledge = Knowledge(loaded.home, config.knowledge, self._kit, who, note, self._forget)

    def __enter__(self) -> Knowledge:
        return self._knowledge

    def __exit__(self, *_: object) -> None:
        self._knowledge.close()
        self._kit.close()
        self._kept.close()

    def _forget(self, base: str, passages: Sequence[str]) -> None:
        try:
            self._kept.drop(base, passages)
        except Unavailable as error:
            # What is kept is not given again all the same: its passages are looked at first.
            _log.warning("kept_answers_not_dropped", base=base, reason=error.message)


class _Kit:
    """See :class:`mainstay.grounding.service.Kit`."""

    def __init__(self, settings: ReadingConfig, embedders: Embedders, home: Path) -> None:
        self._reading = KnowledgeReading(settings)
        self._home = home
        self.wanted = embedders.wanted
        self.embedder = embedders.embedder

    def manner(self, row: KnowledgeConfig) -> "Manner":
        """Return how a base is searched."""
        return manner_of_row(row, self._home)

    def tools(self, row: KnowledgeConfig, embedder: Embedder | None, networks: Sequence[str] = ()) -> Tools:
        """Return what documents are read with."""
        return Tools(
            extractor=self._reading.extractor(row.limits),
            fetcher=self._reading.fetcher(row.limits, networks),
            suspect=open_suspect(),
            embedder=embedder,
            limits=row.limits,
            sizes=Sizes(row.chunk.characters, row.chunk.least),
        )

    def close(self) -> None:
        self._reading.close()
