"""The report as one page of HTML: styles and pictures inside, no script, nothing fetched.

Values of a scenario are a stranger's text and are escaped. Decides nothing.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from mainstay.planning.answer import Answer, Comparison
from mainstay.planning.charts import Line, bars, lines, short, stacked
from mainstay.planning.text import memory_parts, span

__all__ = ["page"]

_STYLE: Final = """
:root{--b:#fff;--f:#1a1a1a;--m:#666;--g:#e4e4e4;--p:#f6f6f4;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;
--c4:#b8b8b8;--c5:#e69f00;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--b:#16181b;--f:#e8e8e6;--m:#a0a0a0;--g:#34373c;--p:#202327;--c0:#56b4e9;
--c1:#ff8c42;--c2:#2fc79b;--c3:#e59ac6;--c4:#5d6066;--c5:#f0b840}}
*{box-sizing:border-box}body{margin:0;background:var(--b);color:var(--f);font:16px/1.5 system-ui,sans-serif}
main{max-width:860px;margin:0 auto;padding:32px 20px 60px}h1{font-size:1.7rem;line-height:1.2;margin:0 0 12px}
h2{font-size:1.15rem;margin:36px 0 8px}p{margin:8px 0}.lead{font-size:1.15rem;border-left:4px solid var(--c0);
padding:8px 14px;background:var(--p)}.cards{display:grid;
grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;
margin:20px 0}.card{background:var(--p);padding:12px 14px;border-radius:6px}.card b{display:block;font-size:1.35rem}
.card span{color:var(--m);font-size:.85rem}table{border-collapse:collapse;width:100%;font-size:.92rem}
td,th{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--g)}td.n,th.n{text-align:right;
white-space:nowrap;
font-variant-numeric:tabular-nums}tr.sum td{font-weight:600;border-top:2px solid var(--m)}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:28px}svg{width:100%;height:auto;display:block}
svg .t{font:12px system-ui,sans-serif;fill:var(--f)}svg .n{font:12px system-ui,sans-serif;fill:var(--m)}
svg .g{stroke:var(--g)}svg .m{stroke:var(--f);stroke-dasharray:4 3}svg .frame{fill:none;stroke:var(--f)}
svg .line{fill:none;stroke-width:2.5}svg .band{opacity:.18;stroke:none}
.c0{fill:var(--c0);stroke:none}.c1{fill:var(--c1);stroke:none}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}
.c5{fill:var(--c5)}svg .c0.line{stroke:var(--c0);fill:none}svg .c1.line{stroke:var(--c1);fill:none}
ul{padding-left:20px}.small{color:var(--m);font-size:.88rem}
"""


def page(answer: Answer) -> str:
    """Return the report as an HTML document."""
    title = answer.question or f"{answer.model} on {answer.device}"
    found = answer.comparison
    parts = [f"<h1>{escape(title)}</h1>"]
    if found is not None:
        parts.append(f'<p class="lead">{escape(found.verdict)}</p>')
    parts += [_cards(answer), *(_comparison(found) if found is not None else []), *_use(answer), *_memory(answer)]
    parts += [*_replicas(answer), *_notes(answer)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str] = ()) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if index else ''}>{escape(cell)}</{tag}>" for index, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    foot = f'<tr class="sum">{line(total, "td")}</tr>' if total else ""
    return f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}{foot}</tbody></table>"


def _cards(answer: Answer) -> str:
    need, cost = answer.capacity, answer.usd_per_million
    cards = [
        (f"{need.serving} + {need.spares}", f"replicas and spares of {answer.devices} x {answer.device}"),
        (f"{need.speed.tokens_per_s.mid:,.0f}", "tokens per second from each replica"),
        (f"{need.speed.itl_ms.mid:.0f} ms", "between two tokens"),
    ]
    if cost is not None:
        cards.append((f"${cost.mid:,.2f}", f"per million tokens written, devices {answer.useful:.0%} busy"))
    if answer.comparison is not None:
        first = answer.comparison.break_even.first
        cards.append(("never" if first is None else short(first), "requests a month to break even"))
    inside = "".join(f'<div class="card"><b>{escape(big)}</b><span>{escape(say)}</span></div>' for big, say in cards)
    return f'<div class="cards">{inside}</div>'


def _comparison(found: Comparison) -> list[str]:
    even = found.break_even
    series = [
        Line(found.buy_name, [(volume, buy) for volume, buy, *_ in found.curve]),
        Line(
            "build, with its 80 % interval of speed",
            [(point[0], point[3]) for point in found.curve],
            [(point[0], min(point[2], point[4]), max(point[2], point[4])) for point in found.curve],
        ),
    ]
    marks = [(found.volume, "now")]
    if even.first is not None:
        marks.append((float(even.first), "break-even"))
    curve = lines(series, x_name="requests a month", y_name="dollars a month", marks=marks, label="Cost against volume")
    months = len(found.payback.bought)
    course = lines(
        [
            Line(found.buy_name, [(float(i + 1), found.payback.bought[i]) for i in range(months)]),
            Line("build", [(float(i + 1), found.payback.built[i]) for i in range(months)]),
        ],
        x_name="month",
        y_name="dollars spent in all",
        marks=[] if found.payback.month is None else [(float(found.payback.month), "paid back")],
        label="Cumulative cost",
    )
    draws = found.draws
    low, high = ("never" if each is None else f"{each:,}" for each in (draws.low, draws.high))
    first = "at no volume within reach" if even.first is None else f"from {even.first:,} requests a month on"
    always = "" if even.always in (None, even.first) else f" (at every volume from {even.always:,} on)"
    return [
        "<h2>Break-even</h2>",
        curve,
        f"<p>Building costs less {first}{always}; between {low} and {high} in 80 of 100 cases, by {draws.count} draws "
        f"of all uncertain inputs. At {found.volume:,.0f} requests a month it is cheaper in {draws.cheaper:.0%} of "
        "them.</p>",
        "<h2>What moves it</h2>",
        _tornado(found),
        "<h2>What it costs</h2>",
        _sides(found),
        f'<p class="small">A good answer costs ${found.built_success_usd:,.5f} built and '
        f"${found.bought_success_usd:,.5f} bought, checks and failures included.</p>",
        "<h2>Over time</h2>",
        course,
    ]


def _tornado(found: Comparison) -> str:
    if found.break_even.first is None:
        return "<p>There is no break-even to move.</p>"

    def end(value: float | None) -> float:
        return math.inf if value is None else value

    def say(factor: float, value: float | None) -> str:
        return f"x{factor:.2f}" + (" never" if value is None else "")

    rows = [
        (
            swing.name,
            end(swing.at_low),
            end(swing.at_high),
            say(swing.low, swing.at_low),
            say(swing.high, swing.at_high),
        )
        for swing in found.swings
    ]
    return bars(rows, float(found.break_even.first), x_name="requests a month at break-even", label="Sensitivity")


def _sides(found: Comparison) -> str:
    tables = []
    for name, items, total in (
        ("build", found.built_items, found.built_monthly),
        (found.buy_name, found.bought_items, found.bought_monthly),
    ):
        rows = [
            (item.name, f"{item.monthly:,.0f}" if item.monthly else "", f"{item.once:,.0f}" if item.once else "")
            for item in items
        ]
        tables.append(
            _table((name, "$ a month", "$ once"), rows, ("with what is paid once, spread", f"{total:,.0f}", ""))
        )
    return f'<div class="two"><div>{tables[0]}</div><div>{tables[1]}</div></div>'


def _use(answer: Answer) -> list[str]:
    if not answer.by_use:
        return []
    chart = lines(
        [
            Line(
                "dollars per million tokens written, prompts included, with 80 % interval",
                [(share * 100, cost.mid) for share, cost in answer.by_use],
                [(share * 100, cost.low, cost.high) for share, cost in answer.by_use],
            )
        ],
        x_name="per cent of the time that devices are busy",
        y_name="$ per million tokens",
        marks=[(answer.useful * 100, f"this traffic: {answer.useful:.0%}")],
        label="Cost against utilisation",
    )
    source = f"${answer.usd_per_device_hour:,.2f} per device and hour ({answer.price_source})."
    return ["<h2>Per million tokens</h2>", chart, f'<p class="small">{escape(source)}</p>']


def _memory(answer: Answer) -> list[str]:
    fit = answer.fit
    name = f"{answer.model} in {answer.precision} on {answer.devices} x {answer.device}"
    return [
        "<h2>Memory of each device</h2>",
        stacked(memory_parts(fit), fit.memory_gib, unit="GiB", label="Memory"),
        f"<p><b>{escape(fit.verdict)}</b>: {escape(name)}. {escape(fit.why)} At most {fit.kv_tokens:,} tokens are "
        "cached.</p>",
    ]


def _replicas(answer: Answer) -> list[str]:
    need, load = answer.capacity, answer.traffic
    rows = [
        ("requests", f"{load.requests_per_month:,.0f} a month, {load.peak_per_s:,.2f} per second at the peak"),
        ("tokens", f"{load.input_tokens:,.0f} in, {load.cached_share:.0%} cached; {load.output_tokens:,.0f} out"),
        ("from", load.source),
        ("replicas", f"{need.serving} ({need.interval[0]} to {need.interval[1]}), {need.spares} to spare"),
        ("sequences at once", f"{need.slots:,} on each"),
        ("tokens per second", span(need.speed.tokens_per_s)),
        ("ms between tokens", span(need.speed.itl_ms, ".1f")),
        ("ms to the first token", f"{span(need.speed.ttft_ms)}, before waiting"),
        ("waiting at the peak", f"{need.waiting.waiting_share:.1%}; p95 {need.waiting.p95_s * 1000:,.0f} ms"),
        ("busy", f"{need.busy_at_peak:.0%} at the peak, {need.busy_on_average:.0%} on average"),
    ]
    body = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return ["<h2>Traffic and replicas</h2>", f"<table><tbody>{body}</tbody></table>"]


def _notes(answer: Answer) -> list[str]:
    items = "".join(f"<li>{escape(warning)}</li>" for warning in answer.warnings)
    basis = f"Speed from {answer.calibration}; shape of the model from {answer.model_source}."
    listed = f"<h2>Notes</h2><ul>{items}</ul>" if items else ""
    return [listed, f'<p class="small">{escape(basis)} Brackets are 80 % intervals.</p>']
