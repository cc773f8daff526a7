"""What callers of tasks have in common: OpenAI's envelope for errors, and answers that are passed on as they came."""

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.line.streaming import StreamWriter
from mainstay.providers.openai import render_error
from mainstay.providers.tasks.streams import TaskWriter

__all__ = ["TaskWire"]


class TaskWire:
    """A task, but for how its requests are read; see :class:`~mainstay.api.calls.CallerWire`."""

    @property
    def dialect(self) -> Dialect:
        """Whose wire it is."""
        return Dialect.OPENAI

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return an answer's body: a task's answers are of its own wire wherever they are made."""
        return whole.wire

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return a writer of events."""
        return TaskWriter()

    def error(self, error: MainstayError, record: Record) -> tuple[int, bytes]:
        """Return OpenAI's envelope."""
        return error.status, render_error(error)
