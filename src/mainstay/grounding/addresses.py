"""Sources that are lists of addresses. Who fetches them, and from where they may come, is behind a port (``shelf``)."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from mainstay.core.errors import InvalidRequest

__all__ = ["file_name", "list_addresses", "read_list"]

_MOST: Final = 100_000


def list_addresses(urls: Sequence[str]) -> list[str]:
    """Return the addresses, each once, without what stands after ``#``.

    Raises:
        InvalidRequest: one is no address of the web.
    """
    if len(urls) > _MOST:
        raise InvalidRequest(f"The source has more than {_MOST} addresses; divide it.", param="urls")
    found = dict.fromkeys(url.partition("#")[0] for url in urls)
    for number, url in enumerate(found, 1):
        if not url.lower().startswith(("http://", "https://")) or not url.isprintable() or " " in url:
            raise InvalidRequest(
                f"Address {number} of the source is none; write it as https://HOST/PATH.", param="urls"
            )
    return list(found)


def read_list(text: str) -> list[str]:
    """Return the addresses in a file that has one on each line; empty lines and those with ``#`` first do not count.

    Raises:
        InvalidRequest: a line is no address.
    """
    lines = (line.strip() for line in text.splitlines())
    return list_addresses([line for line in lines if line and not line.startswith("#")])


def file_name(url: str) -> str:
    """Return what a file is called by its address, "" where that ends with a slash."""
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])
