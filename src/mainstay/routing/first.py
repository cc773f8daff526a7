"""``choose: first``: targets in the order in which they are written."""

from mainstay.routing.null import NullChooser

__all__ = ["First"]


class First(NullChooser):
    """The first target serves; the others stand by."""
