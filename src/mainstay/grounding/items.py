"""The documents that a source has, each with the way to come by it: files of a folder, one file, or addresses."""

import os
from collections.abc import Callable

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.grounding.addresses import file_name, list_addresses
from mainstay.grounding.config import SourceConfig, source_name
from mainstay.grounding.folders import SIDECAR, Found, list_files, read_file
from mainstay.grounding.matter import Matter, read_sidecar
from mainstay.grounding.normal import decode, normalise
from mainstay.grounding.shelf import Fetched, Fetcher

__all__ = ["Item", "items_of"]


class Item(msgspec.Struct, frozen=True):
    """A document to be: what it is called, its file's name, and how it, and what stands beside it, is come by."""

    document: str
    name: str
    fetch: Callable[[], Fetched]
    beside: Callable[[], Matter]


def items_of(source: SourceConfig, limit: int, fetcher: Fetcher | None) -> tuple[str, list[Item], Found]:
    """Return where a source is, its documents, and what was found of its files. A file may have ``limit`` bytes.

    Raises:
        InvalidRequest: the source cannot be listed at all.
    """
    if source.path is None:
        return "web", [_address(url, fetcher, limit) for url in list_addresses(source.urls)], Found()
    path, name = os.path.realpath(source.path), source_name(source)
    if os.path.isfile(path):
        folder, file = os.path.split(path)
        beside = os.path.isfile(path + SIDECAR)
        return path, [_file(folder, file, file, limit, sidecar=beside and source.sidecar)], Found()
    found = list_files(path, source.include, source.exclude, hidden=source.hidden, ignore=source.ignore)
    items = [
        _file(path, file.path, f"{name}/{file.path}", limit, sidecar=file.sidecar and source.sidecar)
        for file in found.files
    ]
    found.problems = [(f"{name}/{path}", reason) for path, reason in found.problems]
    return path, items, found


def _file(root: str, path: str, document: str, limit: int, *, sidecar: bool) -> Item:
    def fetch() -> Fetched:
        data, changed = read_file(root, path, limit)
        return Fetched(data, dated=changed)

    def beside() -> Matter:
        return read_sidecar(normalise(decode(read_file(root, path + SIDECAR, limit)[0]))) if sidecar else Matter()

    return Item(document, path, fetch, beside)


def _address(url: str, fetcher: Fetcher | None, limit: int) -> Item:
    if fetcher is None:
        raise InvalidRequest("Addresses cannot be fetched here; add the files themselves.", param="urls")
    return Item(url, file_name(url), lambda: fetcher.fetch(url, limit), lambda: Matter(uri=url))
