"""Pictures of plans: as SVG for a page, as characters for a terminal. Values in, text out; no library, no script.

Colours are told apart by the colour-blind (Okabe and Ito) and follow the page's light or dark theme.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

import msgspec

__all__ = ["Line", "bars", "bars_text", "lines", "lines_text", "short", "stacked", "stacked_text"]

_W, _PLOT = 720, 260
_LEFT, _RIGHT, _TOP = 70, 16, 14
#: Classes of the page's style sheet, in order.
_CLASSES: Final = ("c0", "c1", "c2", "c3", "c4", "c5")


class Line(msgspec.Struct, frozen=True):
    """One line of a chart, with an optional band: points are (x, y), band points (x, low, high)."""

    name: str
    points: list[tuple[float, float]]
    band: list[tuple[float, float, float]] = []


def short(value: float) -> str:
    """Return a number for an axis: ``1.2M``, ``350k``, ``0.08``."""
    size = abs(value)
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def _ticks(top: float, count: int = 5) -> list[float]:
    """Return round numbers from 0 to about ``top``."""
    rough = top / count
    if rough < 1e-300:  # nothing, or too little for a power of ten
        return [0.0]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.999)
    return [step * index for index in range(int(top / step + 1e-9) + 1)]


def _svg(body: Sequence[str], height: int, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_W} {height}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "t") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def lines(
    series: Sequence[Line], *, x_name: str, y_name: str, marks: Sequence[tuple[float, str]] = (), label: str = ""
) -> str:
    """Return an SVG of ``series`` over one x axis from 0; ``marks`` are vertical lines with their names."""
    right = max((x for line in series for x, _ in line.points), default=1.0) or 1.0
    top = max((y for line in series for _, y in line.points), default=1.0)
    top = max([top, *(high for line in series for _, _, high in line.band)]) * 1.05 or 1.0
    # The legend stands above the plot, where no line crosses it.
    head = _TOP + 16 + 18 * len(series)
    floor = head + _PLOT

    def px(x: float) -> float:
        return _LEFT + (_W - _LEFT - _RIGHT) * min(x, right) / right

    def py(y: float) -> float:
        return floor - _PLOT * min(y, top) / top

    body = [_text(4, _TOP, y_name, "start", "n")]
    for tick in _ticks(top):
        body.append(f'<line class="g" x1="{_LEFT}" x2="{_W - _RIGHT}" y1="{py(tick):.1f}" y2="{py(tick):.1f}"/>')
        body.append(_text(_LEFT - 6, py(tick) + 4, short(tick), "end"))
    body += [_text(px(tick), floor + 16, short(tick), "middle") for tick in _ticks(right, 6)]
    body.append(_text((_LEFT + _W - _RIGHT) / 2, floor + 34, x_name, "middle", "n"))
    for number, line in enumerate(series):
        colour = _CLASSES[number % len(_CLASSES)]
        if line.band:
            upper = " ".join(f"{px(x):.1f},{py(high):.1f}" for x, _, high in line.band)
            lower = " ".join(f"{px(x):.1f},{py(low):.1f}" for x, low, _ in reversed(line.band))
            body.append(f'<polygon class="{colour} band" points="{upper} {lower}"/>')
        points = " ".join(f"{px(x):.1f},{py(y):.1f}" for x, y in line.points)
        body.append(f'<polyline class="{colour} line" points="{points}"/>')
        body.append(f'<rect class="{colour}" x="{_LEFT}" y="{_TOP + 12 + 18 * number}" width="14" height="4"/>')
        body.append(_text(_LEFT + 20, _TOP + 18 + 18 * number, line.name))
    for x, name in marks:
        if 0 <= x <= right:
            side, shift = ("end", -4) if x > right * 0.7 else ("start", 4)
            body.append(f'<line class="m" x1="{px(x):.1f}" x2="{px(x):.1f}" y1="{head}" y2="{floor}"/>')
            body.append(_text(px(x) + shift, floor - 6, name, side))
    return _svg(body, floor + 42, label or y_name)


def bars(rows: Sequence[tuple[str, float, float, str, str]], middle: float, *, x_name: str, label: str = "") -> str:
    """Return an SVG of a tornado: rows of name, one end, the other end, and what stands at each.

    The bars lie around ``middle`` on a logarithmic axis, since inputs work as factors. An end at infinity runs off it.
    """
    known = [each for _, low, high, _, _ in rows for each in (low, high) if math.isfinite(each) and each > 0]
    least, most = min([*known, middle]), max([*known, middle])
    if most / least < 1.5:
        least, most = least / 1.5, most * 1.5
    least, most = math.log(least), math.log(most)
    height, left, right = 40 + 30 * len(rows), 190, _W - 120

    def px(x: float) -> float:
        if not math.isfinite(x):
            return _W - 90
        return left + (right - left) * (math.log(max(x, 1e-9)) - least) / (most - least)

    body = []
    for tick in _log_ticks(math.exp(least), math.exp(most)):
        body.append(f'<line class="g" x1="{px(tick):.1f}" x2="{px(tick):.1f}" y1="6" y2="{height - 34}"/>')
        body.append(_text(px(tick), height - 20, short(tick), "middle"))
    for number, (name, at_low, at_high, low, high) in enumerate(rows):
        y = 12 + 30 * number
        body.append(_text(left - 54, y + 13, name, "end"))
        # The longer one first, so that the shorter is seen when both lie on one side.
        ends = sorted(((at_low, "c0", low), (at_high, "c1", high)), key=lambda end: -abs(px(end[0]) - px(middle)))
        for end, colour, what in ends:
            from_x, to_x = sorted((px(middle), px(end)))
            body.append(
                f'<rect class="{colour}" x="{from_x:.1f}" y="{y}" width="{max(1.0, to_x - from_x):.1f}" height="18"/>'
            )
            if what:
                side, shift = ("start", 4) if px(end) >= px(middle) else ("end", -4)
                body.append(_text(px(end) + shift, y + 13, what, side))
    body.append(f'<line class="m" x1="{px(middle):.1f}" x2="{px(middle):.1f}" y1="6" y2="{height - 34}"/>')
    body.append(_text((left + right) / 2, height - 4, x_name, "middle", "n"))
    return _svg(body, height, label or x_name)


def _log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers between ``low`` and ``high``: 1, 2 and 5 of each power of ten, or 1 alone when many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1.0, 2.0, 5.0) if len(powers) < 5 else (1.0,)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def stacked(parts: Sequence[tuple[str, float]], total: float, *, unit: str, label: str = "") -> str:
    """Return an SVG of one bar of ``parts`` (name, size) out of ``total``; what is over is drawn past its end."""
    used = sum(size for _, size in parts)
    scale = (_W - 32) / max(used, total, 1e-9)
    body, x = [], 16.0
    for number, (name, size) in enumerate(parts):
        colour = _CLASSES[number % len(_CLASSES)]
        body.append(f'<rect class="{colour}" x="{x:.1f}" y="24" width="{max(0.0, size * scale):.1f}" height="34"/>')
        column, row = number % 3, number // 3
        body.append(f'<rect class="{colour}" x="{16 + column * 232}" y="{78 + row * 20}" width="10" height="10"/>')
        body.append(_text(32 + column * 232, 87 + row * 20, f"{name} {size:.1f} {unit}"))
        x += size * scale
    end = 16 + total * scale
    body.append(f'<rect class="frame" x="16" y="24" width="{total * scale:.1f}" height="34"/>')
    body.append(_text(end, 16, f"{total:.1f} {unit}", "end"))
    return _svg(body, 92 + 20 * ((len(parts) - 1) // 3), label)


_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bars_text(rows: Sequence[tuple[str, float, str]], width: int = 40) -> list[str]:
    """Return a line per row (name, size, what to say) with a bar; the longest has ``width`` characters."""
    top = max((size for _, size, _ in rows if math.isfinite(size)), default=0.0)
    wide = max((len(name) for name, _, _ in rows), default=0)
    out = []
    for name, size, say in rows:
        eighths = round(min(size, top) / top * width * 8) if top > 0 else 0
        bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
        out.append(f"{name:<{wide}}  {bar:<{width}}  {say}".rstrip())
    return out


def stacked_text(parts: Sequence[tuple[str, float]], total: float, width: int = 60) -> str:
    """Return one bar of ``parts`` out of ``total``, each part in its own shade."""
    shades, out = "█▓▒░▚", ""
    scale = width / max(total, sum(size for _, size in parts), 1e-9)
    done = 0.0
    for number, (_, size) in enumerate(parts):
        done += size * scale
        out += shades[number % len(shades)] * (round(done) - len(out))
    return f"[{out:<{round(total * scale)}}]"


def lines_text(series: Sequence[Line], *, width: int = 64, height: int = 12) -> list[str]:
    """Return ``series`` drawn in characters, the first as ``●``, the second as ``○``, with a scale at the left."""
    right = max((x for line in series for x, _ in line.points), default=1.0) or 1.0
    top = max((y for line in series for _, y in line.points), default=1.0) or 1.0
    grid = [[" "] * width for _ in range(height)]
    for number, line in enumerate(series):
        for x, y in line.points:
            column = min(width - 1, int(x / right * (width - 1)))
            row = height - 1 - min(height - 1, int(y / top * (height - 1)))
            grid[row][column] = "●○◆◇"[number % 4] if grid[row][column] == " " else "◍"
    out = []
    for index, cells in enumerate(grid):
        scale = short(top * (height - 1 - index) / (height - 1)) if index % 3 == 0 or index == height - 1 else ""
        out.append(f"{scale:>7} │{''.join(cells)}".rstrip())
    out.append(f"{'':>7} └{'─' * width}")
    out.append(f"{'':>9}0{short(right):>{width - 1}}")
    return out
