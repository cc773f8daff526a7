"""A citation, opened: the passage in the revision that it is of, with what stands around it and before and after it.

Reads only; whoever may not see the document finds nothing. Blocks.
"""

from contextlib import suppress
from typing import Final

import msgspec

from mainstay.core.errors import NotFound
from mainstay.grounding.contents import Contents
from mainstay.grounding.listing import Opened
from mainstay.grounding.port import Access

__all__ = ["AROUND", "Page", "open_page"]

#: Characters on each side of a passage, where nobody says.
AROUND: Final = 500


class Page(msgspec.Struct, frozen=True):
    """A passage that was opened, and the text ``before`` and ``after`` it in its revision, blank where that was
    retracted; under which licence and by whose consent the document stands; and the passages before and after it that
    are alive, by name, "" where there are none."""

    opened: Opened
    before: str = ""
    after: str = ""
    licence: str = ""
    consent: str = ""
    previous: str = ""
    next: str = ""


def open_page(store: Contents, passage: str, access: Access | None, *, around: int = AROUND, revision: int = 0) -> Page:
    """Return a passage, also one that has been superseded, at a revision (its newest by default). ``access`` None is
    for who may see everything; ``around`` counts characters on each side.

    Raises:
        NotFound: it was retracted, may not be seen, or there is none of that name.
    """
    opened = store.passage(passage, access, revision=revision)
    one = opened.source
    page = Page(opened)
    with suppress(NotFound):
        said = store.text(one.document, revision=one.revision, access=access)
        page = Page(
            opened,
            said.text[max(0, one.start - around) : one.start],
            said.text[one.end : one.end + around],
            said.meta.licence,
            said.meta.consent,
        )
    if opened.state != "alive":
        return page
    names = [found.name for found in store.passages(one.document)]
    if passage not in names:
        # It was superseded meanwhile.
        return page
    at = names.index(passage)
    return msgspec.structs.replace(
        page, previous=names[at - 1] if at else "", next=names[at + 1] if at + 1 < len(names) else ""
    )
