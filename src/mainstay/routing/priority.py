"""How much a call matters: the class a caller asks for, held to the highest it may use. Pure."""

from collections.abc import Mapping

from mainstay.core.call import Caller, Priority
from mainstay.core.errors import InvalidRequest

__all__ = ["clamp"]

_CLASSES = {priority.name.lower(): priority for priority in Priority}


def clamp(asked: str | None, caller: Caller, classes: Mapping[str, str]) -> Priority:
    """Return the class of a call.

    Args:
        asked: what its ``x-mainstay-priority`` header says; None, if it has none, asks for ``standard``.
        caller: who calls.
        classes: the highest class by name of a key or team; the key's own goes before its team's. Absent: standard.

    Raises:
        InvalidRequest: ``asked`` is no class.
    """
    wanted = Priority.STANDARD if asked is None else _CLASSES.get(asked.strip().lower())
    if wanted is None:
        raise InvalidRequest(f"Set x-mainstay-priority to one of: {', '.join(_CLASSES)}.", param="x-mainstay-priority")
    if not classes:
        return max(wanted, Priority.STANDARD)
    highest = classes.get(caller.name) or classes.get(caller.key) or classes.get(caller.team)
    return max(wanted, _CLASSES[highest] if highest else Priority.STANDARD)
