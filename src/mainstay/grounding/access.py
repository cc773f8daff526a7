"""Which documents a caller may read: its groups, as a knowledge base's row names them. Pure."""

from collections.abc import Mapping, Sequence

from mainstay.core.call import Caller
from mainstay.grounding.port import Access

__all__ = ["access_of", "groups_of"]


def groups_of(caller: Caller, members: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Return the groups that ``caller`` belongs to; ``members`` has for each who is in it: ``team:NAME``,
    ``key:NAME``, ``organisation:NAME`` or ``everyone``."""
    own = {"everyone"}
    for kind, name in (("team", caller.team), ("key", caller.name), ("organisation", caller.organisation)):
        if name:
            own.add(f"{kind}:{name}")
    return frozenset(group for group, subjects in members.items() if not own.isdisjoint(subjects))


def access_of(
    caller: Caller,
    members: Mapping[str, Sequence[str]],
    *,
    where: Mapping[str, str] | None = None,
    without: frozenset[str] = frozenset(),
) -> Access:
    """Return what ``caller`` may read of a knowledge base; ``where`` and ``without`` narrow it as ``Access`` does."""
    return Access(groups_of(caller, members), tuple(sorted((where or {}).items())), without)
