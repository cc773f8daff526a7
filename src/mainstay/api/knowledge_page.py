"""A citation as a page that people read: self-contained, without scripts, and nothing of a document in it is markup.

What a document says is escaped, kept apart from the page's own direction of writing, and never a link unless it is a
web address. Pure.
"""

import base64
import hashlib
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Final

from mainstay.grounding.pages import Page

__all__ = ["HEADERS", "page_of", "prefers_page"]

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}"
    "h1{font-size:1.3rem;line-height:1.3;margin:0 0 .2rem}"
    ".where,.facts{color:#666;font-size:.875rem}@media(prefers-color-scheme:dark){.where,.facts{color:#aaa}}"
    ".text{white-space:pre-wrap;border-left:3px solid #8886;padding-left:1rem;margin:1.5rem 0;unicode-bidi:plaintext}"
    ".around{opacity:.65}mark{background:#ffe58a;color:#111;padding:.1em 0}"
    ".notice{border:1px solid #c60;border-radius:.3rem;padding:.5rem .8rem}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0}dd{margin:0}"
    "nav{display:flex;justify-content:space-between;margin:1rem 0}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: What goes with the page: nothing is loaded, run, sent or framed, and no copy is kept on the way.
HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'sha256-%b'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        b" sandbox allow-popups" % _HASH.encode(),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_STATES: Final = {
    "superseded": "This passage has been corrected or replaced since. It is shown as it was.",
    "expired": "The time for which this document may be used is over.",
}
_ENDS: Final = "…"


def prefers_page(accept: str) -> bool:
    """Return whether an ``Accept`` header would rather have a page than JSON; JSON where it does not say."""
    wants = {"text/html": 0.0, "application/json": 0.0, "*/*": 0.0}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if kind in wants:
            wants[kind] = max(wants[kind], quality)
    return wants["text/html"] > max(wants["application/json"], wants["*/*"]) or (
        wants["text/html"] > 0 and wants["text/html"] == wants["*/*"] > wants["application/json"]
    )


def page_of(page: Page, quote: tuple[int, int]) -> bytes:
    """Return the page of a passage. ``quote`` is what is marked in it, as offsets into the revision's text (code
    points, ends exclusive); as much of that as is shown."""
    source, state = page.opened.source, page.opened.state
    title = source.title or source.document
    lines = [
        f'<!doctype html><html lang="und"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body>',
        f"<h1><bdi>{escape(title)}</bdi></h1>",
    ]
    where = [*source.heading, *([f"page {source.page}"] if source.page else [])]
    if where:
        lines.append(f'<p class="where">{" › ".join(f"<bdi>{escape(one)}</bdi>" for one in where)}</p>')
    if state in _STATES:
        lines.append(f'<p class="notice" role="note">{_STATES[state]}</p>')
    if "injection" in source.flags:
        lines.append('<p class="notice" role="note">This passage seems to hold instructions for models.</p>')
    lines.append(f'<div class="text" dir="auto">{_text(page, quote)}</div>')
    lines.append(_links(page))
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in _facts(page) if value)
    lines.append(f'<dl class="facts">{facts}</dl></body></html>')
    return "\n".join(line for line in lines if line).encode()


def _text(page: Page, quote: tuple[int, int]) -> str:
    """Return the text with the quote marked; it may begin before the passage and end after it."""
    source = page.opened.source
    begin = source.start - len(page.before)
    whole = page.before + source.text + page.after
    start, end = (min(max(0, place - begin), len(whole)) for place in quote)
    edges = sorted({0, len(page.before), len(page.before) + len(source.text), start, end, len(whole)})
    pieces = [_ENDS if begin > 0 else ""]
    named = False
    for one, two in pairwise(edges):
        said = escape(whole[one:two])
        if start <= one < end:
            said = f"<mark>{said}</mark>" if named else f'<mark id="quote">{said}</mark>'
            named = True
        inside = source.start - begin <= one < source.end - begin
        pieces.append(said if inside else f'<span class="around">{said}</span>')
    return "".join(pieces)


def _links(page: Page) -> str:
    links = [
        f'<a rel="{way}" href="{escape(name)}">{words}</a>' if name else "<span></span>"
        for way, name, words in (("prev", page.previous, "← before"), ("next", page.next, "after →"))
    ]
    return f"<nav>{''.join(links)}</nav>" if page.previous or page.next else ""


def _facts(page: Page) -> list[tuple[str, str]]:
    source = page.opened.source
    uri = escape(source.uri)
    if source.uri.lower().startswith(("https://", "http://")):
        uri = f'<a href="{uri}" rel="noopener noreferrer nofollow" target="_blank">{uri}</a>'
    return [
        ("Document", f"<bdi>{escape(source.document)}</bdi>"),
        ("Address", uri),
        ("Dated", _time(source.dated)),
        ("Read", _time(source.read_at)),
        ("May be used until", _time(source.expires)),
        ("Licence", f"<bdi>{escape(page.licence)}</bdi>" if page.licence else ""),
        ("Version", f"{escape(source.pin.version)}, step {source.pin.seq}, revision {source.revision}"),
        ("Passage", f"{escape(source.passage)}, {source.start} to {source.end}"),
        ("SHA-256", escape(source.sha256)),
    ]


def _time(ms: int) -> str:
    if not ms:
        return ""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment:%Y-%m-%d %H:%M} UTC</time>'
