"""Nothing is read, and nothing is heard: what a route without the parts for it says."""

from mainstay.core.call import Call
from mainstay.core.errors import Unreadable
from mainstay.reading.port import Text, Work

__all__ = ["NullReader", "NullTranscriber"]


class NullReader:
    """Reads nothing; see :class:`~mainstay.reading.port.Reader`."""

    async def read(self, work: Work, seconds: float) -> Text:
        """Refuse.

        Raises:
            Unreadable: always.
        """
        raise Unreadable("cannot be read on this route; send it to a model that reads it itself")

    async def aclose(self) -> None:
        """Do nothing."""


class NullTranscriber:
    """Hears nothing; see :class:`~mainstay.core.ports.Transcriber`."""

    async def transcribe(self, call: Call, audio: bytes, kind: str) -> str:
        """Refuse.

        Raises:
            Unreadable: always.
        """
        raise Unreadable("cannot be heard on this route: it has no audio model; name one as 'modalities.audio'")
