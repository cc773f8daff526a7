"""The report as one page of HTML: styles and picture inside, no script, nothing fetched.

Answers are whatever a model was made to say: every text is escaped. Decides nothing.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from mainstay.redteam.converters import CONVERTERS
from mainstay.redteam.figures import Rate, Row
from mainstay.redteam.summary import Finding, Summary, named
from mainstay.redteam.text import probability, rate_text

__all__ = ["page"]

_STYLE: Final = """
:root{--b:#fff;--f:#1a1a1a;--m:#666;--g:#e4e4e4;--p:#f6f6f4;--c0:#0072b2;--c1:#d55e00;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--b:#16181b;--f:#e8e8e6;--m:#a0a0a0;--g:#34373c;--p:#202327;--c0:#56b4e9;
--c1:#ff8c42}}
*{box-sizing:border-box}body{margin:0;background:var(--b);color:var(--f);font:16px/1.5 system-ui,sans-serif}
main{max-width:900px;margin:0 auto;padding:32px 20px 60px}h1{font-size:1.7rem;line-height:1.2;margin:0 0 12px}
h2{font-size:1.15rem;margin:36px 0 8px}p{margin:8px 0}.lead{border-left:4px solid var(--c0);padding:8px 14px;
background:var(--p)}.bad{border-left-color:var(--c1)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:20px 0}
.card{background:var(--p);padding:12px 14px;border-radius:6px}.card b{display:block;font-size:1.35rem}
.card span,.small{color:var(--m);font-size:.85rem}table{border-collapse:collapse;width:100%;font-size:.92rem}
td,th{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--g)}td.n,th.n{text-align:right;
white-space:nowrap;font-variant-numeric:tabular-nums}svg{width:100%;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--f)}svg .n{fill:var(--m)}svg .g{stroke:var(--g)}
svg .c0{stroke:var(--c0);fill:var(--c0)}svg .c1{stroke:var(--c1);fill:var(--c1)}svg line{stroke-width:2}
details{border-bottom:1px solid var(--g);padding:6px 0}summary{cursor:pointer}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--p);padding:10px;border-radius:6px;font-size:.85rem}
"""
_LEFT, _WIDTH, _ROW = 190, 860, 30


def page(summary: Summary) -> str:
    """Return the report as an HTML document."""
    about, found = summary.about, summary.figures
    compared = bool(about.baseline)
    title = f"Red team: {about.route}"
    parts = [f"<h1>{escape(title)}</h1>", _verdict(summary), _cards(summary), "<h2>Attacks that succeed</h2>"]
    parts.append(_picture([found.attacks, *found.categories], compared=compared))
    legend = f"Blue: with guards. Orange: {escape(about.baseline)}. " if compared else ""
    parts.append(f'<p class="small">{legend}Points are shares, lines their 95 % intervals (Wilson).</p>')
    headings = ("categories", "strategies", "converters", "tags")
    parts += [_table(heading, getattr(found, heading), compared=compared) for heading in headings]
    parts.append(_notes(summary))
    findings = summary.findings()
    if findings:
        parts.append(f"<h2>What came out wrong ({len(findings)})</h2>")
        parts += [_finding(one) for one in findings]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _verdict(summary: Summary) -> str:
    if summary.problems:
        inside = "<br>".join(escape(problem) for problem in summary.problems)
        return f'<p class="lead bad">{inside}</p>'
    return '<p class="lead">Every limit is kept.</p>' if summary.gated else ""


def _cards(summary: Summary) -> str:
    found = summary.figures
    cards = [(found.attacks.guarded, "of attacks succeed"), (found.seeds.guarded, "of seeds succeed somehow")]
    cards.append((found.harmless.guarded, "of harmless requests are stopped"))
    if found.attacks.baseline is not None:
        cards.append((found.attacks.baseline, f"of attacks succeed on {summary.about.baseline}"))
    inside = "".join(f'<div class="card"><b>{_share(rate)}</b><span>{escape(say)}</span></div>' for rate, say in cards)
    return f'<div class="cards">{inside}</div>'


def _share(rate: Rate) -> str:
    return f"{rate.share:.1%}" if rate.total else "-"


def _picture(rows: Sequence[Row], *, compared: bool) -> str:
    height = _ROW * len(rows) + 30
    body = []
    for tick in range(0, 101, 20):
        x = _x(tick / 100)
        body.append(f'<line class="g" x1="{x}" y1="4" x2="{x}" y2="{height - 22}"/>')
        body.append(f'<text class="n" x="{x}" y="{height - 6}" text-anchor="middle">{tick} %</text>')
    for at, row in enumerate(rows):
        y = _ROW * at + 18
        body.append(f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>')
        body += _interval(row.guarded, y - (5 if compared else 0), "c0")
        if compared and row.baseline is not None:
            body += _interval(row.baseline, y + 5, "c1")
    label = "Shares of attacks that succeed, by category"
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(body)}</svg>'


def _x(share: float) -> float:
    return round(_LEFT + share * (_WIDTH - _LEFT - 30), 1)


def _interval(rate: Rate, y: int, kind: str) -> list[str]:
    if not rate.total:
        return []
    said = escape(rate_text(rate))
    return [
        f'<line class="{kind}" x1="{_x(rate.low)}" y1="{y}" x2="{_x(rate.high)}" y2="{y}"/>',
        f'<circle class="{kind}" cx="{_x(rate.share)}" cy="{y}" r="4"><title>{said}</title></circle>',
    ]


def _table(heading: str, rows: Sequence[Row], *, compared: bool) -> str:
    if not rows:
        return ""
    head = ["with guards", "of", "stopped", *(("without", "p") if compared else ())]
    lines = [f"<th>{escape(heading)}</th>" + "".join(f'<th class="n">{name}</th>' for name in head)]
    for row in rows:
        name = row.name
        if heading == "tags":
            name = named(name)
        elif heading == "converters" and name in CONVERTERS:
            name = f"{name}: {CONVERTERS[name].about}"
        cells = [rate_text(row.guarded), str(row.guarded.total), str(row.blocked)]
        cells += [rate_text(row.baseline), probability(row)] if compared else []
        lines.append(f"<td>{escape(name)}</td>" + "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells))
    inside = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<h2>By {escape(heading)}</h2><table>{inside}</table>"


def _notes(summary: Summary) -> str:
    method = summary.about.refusals
    notes = [] if method == "none" else [f"Refusals were told by {'a model' if method == 'model' else 'phrases'}."]
    notes.append("p is of McNemar's exact test on cases played on both sides.")
    for side, count in summary.figures.errors.items():
        notes.append(f"{side}: {count} cases without an answer, {summary.figures.missing[side]} not played.")
    return f'<p class="small">{escape(" ".join(notes))}</p>'


def _finding(found: Finding) -> str:
    case, result = found.case, found.result
    outcome = "stopped" if result.outcome == "blocked" else "succeeded"
    tags = ", ".join(named(tag) for tag in case.tags)
    facts = [f"{outcome}, told by {result.why}" if result.why else outcome, tags]
    facts += [f"request {result.request_id}"] if result.request_id else []
    said = case.script().turns[-1].messages[-1]["content"]
    return (
        f"<details><summary><code>{escape(case.id)}</code> {escape(case.seed.goal)}</summary>"
        f'<p class="small">{escape(". ".join(fact for fact in facts if fact))}</p>'
        f"<pre>{escape(str(said))}</pre><pre>{escape(result.excerpt)}</pre></details>"
    )
