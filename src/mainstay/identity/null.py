"""The ring that lets everyone in (``identity.required: false``), and still knows those who present a good
key.
"""

from mainstay.core.call import Caller
from mainstay.core.errors import Unauthenticated
from mainstay.core.ports import KeyRing

__all__ = ["ANONYMOUS", "NullKeyRing"]

ANONYMOUS = Caller(key="anonymous", name="anonymous")


class NullKeyRing:
    """Implements ``core.ports.KeyRing``: a good key identifies its owner, anything else is :data:`ANONYMOUS`.

    With no ``known`` ring everyone is anonymous.
    """

    def __init__(self, known: KeyRing | None = None) -> None:
        self._known = known

    def find(self, presented: bytes) -> Caller:
        """Return the caller; never raises."""
        if self._known is None or not presented:
            return ANONYMOUS
        try:
            return self._known.find(presented)
        except Unauthenticated:
            return ANONYMOUS
