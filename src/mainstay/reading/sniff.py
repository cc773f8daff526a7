"""What a file is, by its first bytes: what its sender says of it is only believed of text. Pure."""

from typing import Final

__all__ = ["AUDIO", "IMAGES", "sniff"]

_HEADS: Final = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"{\\rtf", "rtf"),
    (b"ID3", "mp3"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\x1aE\xdf\xa3", "webm"),
)
_RIFF: Final = {b"WEBP": "webp", b"WAVE": "wav"}
_MARKUP: Final = (b"<!doctype html", b"<html", b"<head", b"<body")
#: Brands of ISO media files that are pictures.
_PICTURES: Final = (b"heic", b"heix", b"mif1", b"avif", b"avis", b"msf1")
_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

#: Kinds that are read as images, and kinds that are heard; the latter also name the format to an audio model.
IMAGES: Final = frozenset({"png", "jpeg", "gif", "webp", "bmp", "tiff"})
AUDIO: Final = frozenset({"mp3", "wav", "flac", "ogg", "webm", "m4a"})


def sniff(data: bytes, media_type: str = "", name: str = "") -> str:
    """Return the kind of a file: one of ``IMAGES`` or ``AUDIO``, ``pdf``, ``zip`` (Office, perhaps), ``html``,
    ``text``, ``ole`` (Office before 2007), ``rtf``, ``heif``, or "" for what is none of these."""
    for head, kind in _HEADS:
        if data.startswith(head):
            return kind
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return "heif" if data[8:12] in _PICTURES else "m4a"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2 and not data.startswith(_BOMS):
        return "mp3"
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if not data.startswith(_BOMS) and b"\0" in data[:4096]:
        return ""
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    marked = "html" in media_type.lower() or name.lower().endswith((".html", ".htm", ".xhtml"))
    return "html" if marked or start.startswith(_MARKUP) else "text"
