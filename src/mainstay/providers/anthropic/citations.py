"""Citations as this wire has them: of the block of text that is the claim, with what its kinds cannot say beside."""

from typing import Any, Final

from mainstay.core.sources import Citation
from mainstay.providers.citations import extension, title_of

__all__ = ["UNCITED", "location"]

#: What a message has beside its content where citations were asked for and the model's vendor gives none.
UNCITED: Final = {"citations": "not_given"}


def location(citation: Citation) -> dict[str, Any]:
    """Return a citation as a location in a document: by page where it has pages, else by characters.

    Documents are counted as the model was given them. Ends are exclusive.
    """
    source = citation.source
    fields: dict[str, Any] = {
        "type": "page_location" if source.page else "char_location",
        "cited_text": citation.quote,
        "document_index": max(0, citation.number - 1),
        "document_title": title_of(source),
        "file_id": None,
    }
    if source.page:
        fields |= {"start_page_number": source.page, "end_page_number": source.page + 1}
    else:
        fields |= {"start_char_index": citation.start, "end_char_index": citation.end}
    return {**fields, "mainstay": extension(citation)}
