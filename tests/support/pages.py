"""The pages a reader sees, as data: their fenced blocks, headings, anchors and links."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGES", "ROOT", "Block", "anchors", "blocks", "headings", "inline_code", "links", "name", "prose"]

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: where it stands (page and line), its language and its text."""

    where: str
    language: str
    text: str

    def __str__(self) -> str:
        return self.where


def name(page: Path) -> str:
    """Return the page's path as people say it."""
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[Block]:
    """Return every block of these languages, in all pages."""
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


@cache
def _blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(f"{name(page)}:{text.count(chr(10), 0, found.start()) + 1}", found[1], found[2])
        for found in _FENCED.finditer(text)
    ]


@cache
def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return _FENCED.sub("", page.read_text())


def inline_code(page: Path) -> list[str]:
    """Return what stands between backticks in the prose."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(page))]


def headings(page: Path) -> list[str]:
    """Return the headings, without their marks."""
    return [heading.replace("`", "") for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return what a link into the page may name."""
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}
    return frozenset(slugs | set(re.findall(r'<a id="([^"]+)">', prose(page))))


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the anchor of each link and picture that stays in the repository."""
    text = re.sub(r"`[^`]*`", "code", prose(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor
