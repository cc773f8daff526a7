"""Knowledge as people keep it: every verb of the command line and of the admin API."""

from mainstay.grounding.service.knowledge import Knowledge
from mainstay.grounding.service.shelves import Forget, Kit, Note

__all__ = ["Forget", "Kit", "Knowledge", "Note"]
