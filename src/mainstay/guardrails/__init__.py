"""What may enter and leave. So far: the language of a request, found, recorded, and acted upon.

Wired through ``service``; ``Screen`` is the step on the line. A detector is loaded once per worker, when a route first
asks for one, and works without a network.
"""

from mainstay.guardrails.service import Screens
from mainstay.guardrails.stage import Screen

__all__ = ["Screen", "Screens"]
