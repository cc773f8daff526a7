"""Draws the line as an SVG: stages that stand as solid tiles, stages that are planned as faint posts.

Used by ``generate.py``. Knows the names it is given and nothing of what the stages do. The picture needs no font and
no file from elsewhere, and follows the reader's light or dark scheme.
"""

import textwrap
from html import escape
from typing import NamedTuple

__all__ = ["Place", "draw"]

#: Horizontal: margin, width of the end boxes, of a solid tile, of a faint post, the gap between two.
_MARGIN, _END, _TILE, _POST, _GAP = 14, 140, 134, 28, 6
_REACH = 66
#: Vertical: the tiles' top and bottom, and the two lanes that cross them.
_TOP, _BOTTOM, _CALL, _ANSWER = 16, 276, 72, 234
_HEIGHT = 318

_STYLE = """
text { font-family: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; fill: #1f2933 }
.card { fill: #ffffff; stroke: #e4e7eb }
.end { fill: #f5f7fa; stroke: #9aa5b1 }
.tile { fill: #eef2ff; stroke: #3f51b5; stroke-width: 1.6 }
.post { fill: none; stroke: #cbd2d9; stroke-dasharray: 3 4 }
.name { font-size: 16px; font-weight: 700 }
.room, .note { font-size: 13px; fill: #52606d }
.faint { font-size: 13px; fill: #7b8794 }
.number { font-size: 11px; fill: #7b8794 }
.call { stroke: #2563eb; fill: none; stroke-width: 3 }
.answer { stroke: #059669; fill: none; stroke-width: 3 }
.call-ink { fill: #2563eb; font-size: 13px; font-weight: 600 }
.answer-ink { fill: #059669; font-size: 13px; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #f5f7fa }
  .card { fill: #16191d; stroke: #2b3036 }
  .end { fill: #23282e; stroke: #616e7c }
  .tile { fill: #242b4d; stroke: #9fa8da }
  .post { stroke: #3e464f }
  .room, .note { fill: #cbd2d9 }
  .faint, .number { fill: #8b96a2 }
  .call { stroke: #60a5fa }
  .answer { stroke: #34d399 }
  .call-ink { fill: #60a5fa }
  .answer-ink { fill: #34d399 }
}
""".strip()


class Place(NamedTuple):
    """One stage: its room, its name, what it does in a few words, and whether it stands."""

    room: str
    name: str
    meaning: str
    stands: bool


def draw(places: list[Place], callers: list[str], models: list[str]) -> str:
    """Return the SVG: ``callers`` on the left, ``places`` in order, ``models`` on the right."""
    widths = [_TILE if place.stands else _POST for place in places]
    first = _MARGIN + _END + _REACH
    last = first + sum(widths) + _GAP * (len(places) - 1)
    width = last + _REACH + _END + _MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" '
        'role="img" aria-labelledby="title">',
        f'<title id="title">The line: {escape(", ".join(place.name for place in places))}</title>',
        f"<style>{_STYLE}</style>",
        _arrow("call"),
        _arrow("answer"),
        f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{_HEIGHT - 1}" rx="10"/>',
    ]
    x = first
    for number, (place, wide) in enumerate(zip(places, widths, strict=True), 1):
        out += _tile(place, number, x) if place.stands else _post(place, number, x)
        x += wide + _GAP
    left, right = _MARGIN + _END, last + _REACH
    out += [
        f'<path class="call" marker-end="url(#call)" d="M{left} {_CALL} H{right - 9}"/>',
        f'<path class="answer" marker-end="url(#answer)" d="M{right} {_ANSWER} H{left + 9}"/>',
    ]
    x = first
    for place, wide in zip(places, widths, strict=True):
        if place.stands:
            out += [_dot("call-ink", x + wide / 2, _CALL), _dot("answer-ink", x + wide / 2, _ANSWER)]
        x += wide + _GAP
    out += _end(_MARGIN, "Your application", callers)
    out += _end(right, "Models", models)
    out += [
        f'<text class="call-ink" x="{left + 14}" y="{_CALL - 10}">call</text>',
        f'<text class="answer-ink" x="{right - 9}" y="{_ANSWER - 11}" text-anchor="end">answer</text>',
        *_legend(first),
        "</svg>\n",
    ]
    return "\n".join(out)


def _arrow(name: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="2" refY="5" markerWidth="12" markerHeight="12" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{name}-ink" d="M0 0 L10 5 L0 10 z"/></marker>'
    )


def _dot(ink: str, x: float, y: float) -> str:
    return f'<circle class="{ink}" cx="{x:g}" cy="{y}" r="5"/>'


def _tile(place: Place, number: int, x: int) -> list[str]:
    middle = x + _TILE / 2
    lines = textwrap.wrap(place.meaning, 18)
    top = _CALL + 22
    return [
        f'<rect class="tile" x="{x}" y="{_TOP}" width="{_TILE}" height="{_BOTTOM - _TOP}" rx="8"/>',
        f'<text class="number" x="{middle:g}" y="{_TOP + 20}" text-anchor="middle">{number}</text>',
        f'<text class="room" x="{middle:g}" y="{top + 14:g}" text-anchor="middle">{escape(place.room)}</text>',
        f'<text class="name" x="{middle:g}" y="{top + 33:g}" text-anchor="middle">{escape(place.name)}</text>',
        *(
            f'<text class="note" x="{middle:g}" y="{top + 56 + 16 * row:g}" text-anchor="middle">{escape(line)}</text>'
            for row, line in enumerate(lines)
        ),
    ]


def _post(place: Place, number: int, x: int) -> list[str]:
    middle, centre = x + _POST / 2, (_CALL + _ANSWER) / 2
    return [
        f'<rect class="post" x="{x}" y="{_TOP}" width="{_POST}" height="{_BOTTOM - _TOP}" rx="8"/>',
        f'<text class="number" x="{middle:g}" y="{_TOP + 20}" text-anchor="middle">{number}</text>',
        f'<text class="faint" x="{middle:g}" y="{centre + 4:g}" text-anchor="middle" '
        f'transform="rotate(-90 {middle:g} {centre:g})">{escape(place.room)} · {escape(place.name)}</text>',
    ]


def _end(x: int, title: str, lines: list[str]) -> list[str]:
    middle, height = x + _END / 2, _ANSWER - _CALL + 64
    top = _CALL - 32
    first = (_CALL + _ANSWER) / 2 - (22 + 19 * len(lines)) / 2 + 14
    return [
        f'<rect class="end" x="{x}" y="{top}" width="{_END}" height="{height}" rx="8"/>',
        f'<text class="name" x="{middle:g}" y="{first:g}" text-anchor="middle">{escape(title)}</text>',
        *(
            f'<text class="note" x="{middle:g}" y="{first + 5 + 19 * row:g}" text-anchor="middle">{escape(text)}</text>'
            for row, text in enumerate(lines, 1)
        ),
    ]


def _legend(x: int) -> list[str]:
    y = _HEIGHT - 20
    return [
        f'<rect class="tile" x="{x}" y="{y - 11}" width="22" height="14" rx="3"/>',
        f'<text class="room" x="{x + 30}" y="{y + 1}">works today</text>',
        f'<rect class="post" x="{x + 132}" y="{y - 11}" width="22" height="14" rx="3"/>',
        f'<text class="room" x="{x + 162}" y="{y + 1}">planned: its place is kept, it costs nothing</text>',
    ]
