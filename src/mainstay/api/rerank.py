"""``POST /v1/rerank``, also at ``/v2/rerank`` and ``/rerank``, in the form that Cohere's and Jina's clients share."""

from mainstay.api.tasks import TaskWire
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.record import Record
from mainstay.providers.tasks.rerank import read_rerank, render_rerank_error

__all__ = ["RerankWire"]


class RerankWire(TaskWire):
    """Reranking, as Cohere's SDK and Jina's callers ask for it."""

    @property
    def dialect(self) -> Dialect:
        """Cohere's, which Jina's is a form of."""
        return Dialect.COHERE

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_rerank(body)

    def error(self, error: MainstayError, record: Record) -> tuple[int, bytes]:
        """Return an error that both read."""
        return error.status, render_rerank_error(error, record.request_id)
