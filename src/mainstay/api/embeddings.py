"""``POST /v1/embeddings``."""

from mainstay.api.tasks import TaskWire
from mainstay.core.call import Ask
from mainstay.providers.tasks.embeddings import read_embeddings

__all__ = ["EmbeddingsWire"]


class EmbeddingsWire(TaskWire):
    """Embeddings, as the official OpenAI SDKs ask for them."""

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_embeddings(body)
