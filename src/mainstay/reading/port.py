"""What reads a file for a model that cannot: values that cross to the process in which it is read, and back."""

from collections.abc import Mapping
from typing import Final, Literal, Protocol

import msgspec

__all__ = ["MISSING", "Job", "Limits", "Mark", "Reader", "Result", "Text", "Work"]

#: What to tell whoever wants something read that a package is missing for.
MISSING: Final = "needs packages that are not installed: pip install 'mainstay[modalities]'"


class Limits(msgspec.Struct, frozen=True):
    """What one file may take; see :class:`~mainstay.reading.config.LimitsConfig`. ``unpacked`` is in bytes."""

    pages: int = 200
    pixels: int = 50_000_000
    characters: int = 400_000
    unpacked: int = 256 * 1024 * 1024


class Work(msgspec.Struct, frozen=True):
    """A file to be read: its bytes, what its sender calls it, and whether pictures in it may be read.

    Of an image ``pixels`` are asked for in place of its words: see :func:`~mainstay.reading.pixels.read_pixels`.
    """

    kind: Literal["image", "document", "pixels"]
    data: bytes
    media_type: str = ""
    name: str = ""
    limits: Limits = Limits()
    ocr: bool = True


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place in the text of a file, in code points: where page ``number`` begins (from 1; slides and sheets count),
    where a heading of level ``number`` stands and what it says, or a stretch up to ``end`` that belongs together
    (``whole``: a table, code) or is not what the file is about (``aside``: navigation)."""

    offset: int
    kind: Literal["page", "heading", "whole", "aside"]
    number: int = 0
    title: str = ""
    end: int = 0


class Text(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file says. ``how`` is the way it was read: ``ocr``, ``pdf``, ``docx``, ``pptx``, ``xlsx``, ``html``,
    ``text`` or ``pixels``; ``pages`` counts pages, slides or sheets, 0 where there are none. ``marks``, in order, and
    ``properties`` (``title``, ``date``) are what the file tells of its structure and of itself."""

    text: str
    how: str
    pages: int = 0
    marks: tuple[Mark, ...] = ()
    properties: Mapping[str, str] = {}


class Job(msgspec.Struct, frozen=True):
    """A file to read in another process, and the seconds after which that may be taken for stuck."""

    work: Work
    seconds: int


class Result(msgspec.Struct, frozen=True):
    """What that process answers: what the file says, or why it cannot be read."""

    read: Text | None = None
    problem: str = ""


class Reader(Protocol):
    """Reads files without keeping its caller's process busy."""

    async def read(self, work: Work, seconds: float) -> Text:
        """Return what a file says, within ``seconds``.

        Raises:
            Unreadable: it cannot be read, or not within the limits; the message is the end of a sentence about it.
            Unavailable: too much is being read already.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what the reader holds."""
        ...
