"""Versions of a base: built beside the live one from its own documents, with other passages or other embeddings.

What is built is resumed when it was cut off: each document that is there stays. Blocks.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mainstay.core.errors import Conflict
from mainstay.grounding.chunks import Sizes, chunk, embedded
from mainstay.grounding.fusion import usual_weight
from mainstay.grounding.port import Change, Embedder, Meta, Slice, Version
from mainstay.grounding.reports import Progress, Stop
from mainstay.grounding.shelf import Mark
from mainstay.grounding.store import RowStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mainstay.grounding.corrections import Embed

__all__ = ["build", "embed_with", "live"]

#: Documents that are brought over in one transaction: a build that is cut off loses no more.
_BATCH = 16


def live(store: RowStore) -> Version:
    """Return the live version."""
    return next(one for one in store.versions() if one.state == "live")


def embed_with(embedder: Embedder | None) -> "Embed | None":
    """Return what gives corrected passages their vectors, None where passages have none."""
    if embedder is None:
        return None

    def embed(meta: Meta, slices: Sequence[Slice], texts: Sequence[str]) -> "NDArray[np.float32]":
        said = [embedded(meta.title, one.heading, text) for one, text in zip(slices, texts, strict=True)]
        return embedder.embed(said, "passage")

    return embed


def build(
    store: RowStore,
    name: str,
    embedder: Embedder | None,
    sizes: Sizes,
    change: Change,
    told: Callable[[Progress], None],
    stop: Stop | None = None,
) -> Version:
    """Build a version from the documents of the live one, or go on with one that was cut off, or that what was edited
    since is behind; return it, ready, or still building where it was stopped.

    Raises:
        Conflict: there is one of this name that is made in another way, or is or was live.
        Unavailable: what embeds cannot be reached; what was done stays.
    """
    made = Version(
        name, embedder.name if embedder else "", embedder.dimensions if embedder else 0, sizes.name, state="building"
    )
    known = next((one for one in store.versions() if one.name == name), None)
    now = live(store)
    if known is None:
        store.create(
            name,
            change,
            embedder=made.embedder,
            dimensions=made.dimensions,
            chunker=made.chunker,
            # A weight that was learnt is of its embedder.
            dense=now.dense if made.embedder == now.embedder else usual_weight(made.embedder),
            parent=now.name,
        )
    elif known.state not in ("building", "ready") or _ways(known) != _ways(made):
        raise Conflict(f"There is a version '{name}' already; choose another name.")
    total = len(store.pending(name))

    def cut(document: str, text: str, meta: Meta) -> "tuple[Sequence[Slice], NDArray[np.float32] | None]":
        slices = _cut(store, now, document, text, meta, sizes)
        embed = embed_with(embedder)
        texts = [text[one.start : one.end] for one in slices]
        return slices, embed(meta, slices, texts) if embed is not None and slices else None

    left = total
    while left and not (stop is not None and stop.is_set()):
        told(Progress(total - left, total, name))
        # What is edited meanwhile is pending again, so there may be more left than there were.
        left = store.replay(name, change, cut, _BATCH)
        total = max(total, left)
    if not left:
        store.ready(name, change)
    return next(one for one in store.versions() if one.name == name)


def _ways(version: Version) -> tuple[str, int, str]:
    return version.embedder, version.dimensions, version.chunker


def _cut(store: RowStore, now: Version, document: str, text: str, meta: Meta, sizes: Sizes) -> list[Slice]:
    """Return the passages of a document as the live version has them, or cut anew along the pages it knows."""
    found = store.passages(document, now.name)
    if now.chunker == sizes.name:
        return [Slice(one.start, one.end, one.page, one.heading, one.flags) for one in found]
    marks: list[Mark] = []
    for one in found:
        if one.page and (not marks or marks[-1].number != one.page):
            marks.append(Mark(one.start, "page", one.page))
    flags = [(one.start, one.end, one.flags) for one in found if one.flags]
    return [_flagged(one, flags) for one in chunk(text, meta.kind, sizes, marks)]


def _flagged(one: Slice, flags: Sequence[tuple[int, int, tuple[str, ...]]]) -> Slice:
    """Return a passage with the flags of those that it overlaps: what was noticed is noticed still."""
    said = {flag for start, end, names in flags if start < one.end and one.start < end for flag in names}
    return Slice(one.start, one.end, one.page, one.heading, tuple(sorted(said))) if said else one
