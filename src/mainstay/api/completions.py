"""``POST /v1/completions``: OpenAI's legacy completions."""

from mainstay.api.tasks import TaskWire
from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.line.streaming import StreamWriter
from mainstay.providers.completions import CompletionWriter, read_ask, write_whole

__all__ = ["CompletionsWire"]


class CompletionsWire(TaskWire):
    """Completions, as the official OpenAI SDKs ask for them."""

    @property
    def dialect(self) -> Dialect:
        """A wire of its own: a conversation's answers do not pass."""
        return Dialect.COMPLETIONS

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_ask(body)

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return a completion."""
        return write_whole(whole, model=record.target, id=record.id, created=record.at // 1000)

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return a writer of chunks."""
        return CompletionWriter(ask.include_usage, model=record.target, id=record.id, created=record.at // 1000)
