"""``POST /v1/moderations``."""

from mainstay.api.tasks import TaskWire
from mainstay.core.call import Ask
from mainstay.providers.tasks.moderations import read_moderations

__all__ = ["ModerationsWire"]


class ModerationsWire(TaskWire):
    """Moderations, as the official OpenAI SDKs ask for them."""

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_moderations(body)
