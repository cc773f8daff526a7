"""What a file says, by what it is: the one place that knows all kinds. Runs in a process of its own (``child``)."""

from mainstay.core.errors import Unreadable
from mainstay.reading import ocr, pdf, pixels
from mainstay.reading.html import read_page
from mainstay.reading.office import read_office
from mainstay.reading.plain import decode
from mainstay.reading.port import MISSING, Text, Work
from mainstay.reading.sniff import IMAGES, sniff

__all__ = ["extract"]

_REFUSED = {
    "ole": "is a file of Office before 2007; save it as docx, xlsx or pptx and send that",
    "rtf": "is Rich Text; save it as docx or PDF and send that",
    "heif": "is an image in HEIF or AVIF; send it as PNG or JPEG",
}


def extract(work: Work) -> Text:
    """Return what a file says.

    Raises:
        Unreadable: it cannot be read; the message is the end of a sentence that begins with the file.
    """
    kind = sniff(work.data, work.media_type, work.name)
    try:
        read = _read(kind, work)
    except ImportError:
        raise Unreadable(MISSING) from None
    if len(read.text) > work.limits.characters:
        raise Unreadable("has more text than this route reads; send a shorter file")
    return read


def _read(kind: str, work: Work) -> Text:
    if kind in IMAGES and work.kind == "pixels":
        return pixels.read_pixels(work.data, work.limits)
    if kind in IMAGES and (work.kind == "image" or work.ocr):
        return ocr.read_image(work.data, work.limits)
    if work.kind != "document":
        raise Unreadable(_REFUSED.get(kind, "is no image of a kind that is read: send PNG, JPEG, GIF or WebP"))
    if kind == "pdf":
        return pdf.read_pdf(work.data, work.limits, ocr.read_picture if work.ocr and ocr.is_installed() else None)
    if kind == "zip":
        return read_office(work.data, work.limits)
    if kind == "html":
        return read_page(work.data)
    if kind == "text":
        return Text(decode(work.data).strip(), "text")
    raise Unreadable(
        _REFUSED.get(kind, "is no document of a kind that is read: send PDF, docx, pptx, xlsx, HTML or text")
    )
