"""The provider that is not there."""

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.errors import Unavailable
from mainstay.core.record import Attempt
from mainstay.core.target import Target

__all__ = ["NullProvider"]


class NullProvider:
    """Refuses every call."""

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Raise ``Unavailable``."""
        raise Unavailable(f"The provider of model '{target.model}' is not running; try again shortly.", retry_after=1)

    async def aclose(self) -> None:
        """Nothing to let go of."""
