"""The chooser that has no opinion."""

from collections.abc import Sequence

from mainstay.core.call import Call
from mainstay.core.target import Target

__all__ = ["NullChooser"]


class NullChooser:
    """Leaves targets as they are written. ``choose: first`` is this."""

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets`` unchanged."""
        return targets
