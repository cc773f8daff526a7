"""Personal data in a text: patterns with checksums, names by a small model, addresses, own lists.

``open_personal`` loads what a configuration asks for; the scanner behind it is pure and works without a network.
"""

from mainstay.guardrails.personal.config import PersonalConfig
from mainstay.guardrails.personal.scan import PersonalScanner, open_personal

__all__ = ["PersonalConfig", "PersonalScanner", "open_personal"]
