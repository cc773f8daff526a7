"""``mainstay plan``: what it would take to run a model oneself, and whether that is better than buying it."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mainstay.cli.options import AsJson, ConfigOption
from mainstay.cli.output import print_rows
from mainstay.cli.plan_options import (
    Bits,
    Busiest,
    Cached,
    Count,
    Daily,
    Gpu,
    Hourly,
    Into,
    Itl,
    Kv,
    Model,
    Out,
    Peak,
    Spares,
    Ttft,
    Usable,
)
from mainstay.core.errors import ConfigError, StartError

if TYPE_CHECKING:  # the planner costs a tenth of a second, which the other commands should not
    from rich.console import Console

    from mainstay.planning.answer import Answer
    from mainstay.planning.deployment import Deployment

__all__ = ["app"]


class _OrScenario(TyperGroup):
    """Takes ``plan FILE`` for ``plan report FILE``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that ``args`` begin with; a file that is none of them is a scenario."""
        if args and args[0] not in self.commands and args[0].endswith((".yaml", ".yml")):
            args = ["report", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=_OrScenario, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _plan() -> None:
    """Find out what a model takes, bought or built.

    Estimates come with 80 % intervals. A scenario in YAML answers all of it at once; the other commands answer one
    question each.

    \b
    Examples:
      mainstay plan support.yaml --html support.html
      mainstay plan fit llama-3.3-70b --gpu H100 --count 2 --precision fp8
      mainstay plan speed qwen3-32b --gpu H100
      mainstay plan buy-or-build llama-3.3-70b --gpu H100 -p fp8 -r 200000 --price-in 2 --price-out 8
    """


@app.command("report")
def _report(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario in YAML.")],
    from_records: Annotated[
        bool, typer.Option("--from-records", help="Take the traffic from the records of calls.")
    ] = False,
    config: ConfigOption = None,
    since: Annotated[str, typer.Option(help="Records not older than this: 7d, 30d.")] = "30d",
    route: Annotated[str | None, typer.Option(help="Only records of this route.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a scenario: what, how fast, how dear.

    `mainstay plan FILE` is short for it.

    \b
    Examples:
      mainstay plan support.yaml
      mainstay plan support.yaml --from-records --config mainstay.yaml --since 30d
      mainstay plan report support.yaml --json --html support.html
    """
    from mainstay.cli.plan_files import read_scenario, read_traffic
    from mainstay.planning.answer import answer

    asked, size, file_bytes = read_scenario(scenario)
    traffic = read_traffic(config, since, route) if from_records else None
    _show(answer(asked, traffic=traffic, size=size, file_bytes=file_bytes), as_json, html)


@app.command("fit")
def _fit(
    model: Model,
    gpu: Gpu,
    count: Count = 1,
    precision: Bits = "bf16",
    kv: Kv = "bf16",
    usable: Usable = 0.9,
    context: Annotated[int, typer.Option("--context", min=1, help="Tokens of a sequence, prompt and answer.")] = 8192,
    batch: Annotated[int, typer.Option("--batch", "-b", min=1, help="Sequences at once.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Say whether it fits; exit code 1 when not.

    \b
    Examples:
      mainstay plan fit llama-3.3-70b --gpu H100 --count 4
      mainstay plan fit ./model-q4_k_m.gguf --gpu "RTX 4090" --context 16384
    """
    from mainstay.cli.plan_files import replica
    from mainstay.planning.memory import fit

    plan = replica(model, gpu, count, precision, kv, usable, context)
    found = fit(plan, context=context, batch=batch)
    if as_json:
        _json(found)
    else:
        from mainstay.planning.text import show_fit

        show_fit(_console(), _name(plan), found)
    if found.verdict == "no":
        raise typer.Exit(1)


@app.command("speed")
def _speed(
    model: Model,
    gpu: Gpu,
    count: Count = 0,
    precision: Bits = "bf16",
    kv: Kv = "bf16",
    into: Into = 1155,
    out: Out = 211,
    cached: Cached = 0.0,
    batch: Annotated[list[int] | None, typer.Option("--batch", "-b", min=1, help="May be given again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how fast one replica is, by batch.

    \b
    Examples:
      mainstay plan speed llama-3.1-8b --gpu H100
      mainstay plan speed gpt-oss-120b --gpu H100 -n 2 -p mxfp4 -b 1 -b 64 --input 4000
    """
    from mainstay.cli.plan_files import replica
    from mainstay.planning.throughput import best_batch, speed

    plan = replica(model, gpu, count, precision, kv, 0.9, int(into + out))
    most = best_batch(plan, input_tokens=into, output_tokens=out)
    if most < 1:
        raise StartError(f"{_name(plan)} does not fit; 'mainstay plan fit' says why.")
    sizes = batch or [each for each in (1, 8, 32, 64, 128, 256, 512, 1024) if each <= most]
    rows = [speed(plan, each, input_tokens=into, output_tokens=out, cached_share=cached) for each in sizes]
    if as_json:
        _json(rows)
        return
    from mainstay.planning.text import show_speed

    show_speed(_console(), _name(plan), rows)


@app.command("cost")
def _cost(
    model: Model,
    gpu: Gpu,
    count: Count = 0,
    precision: Bits = "bf16",
    into: Into = 1155,
    out: Out = 211,
    batch: Annotated[int, typer.Option("--batch", "-b", min=1, help="Sequences at once.")] = 64,
    usd_per_hour: Hourly = 0.0,
    as_json: AsJson = False,
) -> None:
    """Say what a million tokens cost, by load.

    \b
    Examples:
      mainstay plan cost llama-3.1-8b --gpu H100 --usd-per-hour 2.50
      mainstay plan cost qwen3-32b --gpu L40S -n 2 --batch 16
    """
    from mainstay.cli.plan_files import replica
    from mainstay.planning.price import per_million_by_use
    from mainstay.planning.throughput import speed

    plan = replica(model, gpu, count, precision, "bf16", 0.9, int(into + out))
    hour = usd_per_hour or plan.device.usd_per_hour
    if hour is None:
        raise ConfigError(f"There is no reference price for {plan.device.name}; give --usd-per-hour.")
    found = speed(plan, batch, input_tokens=into, output_tokens=out)
    rows = per_million_by_use(plan.devices, hour, found.tokens_per_s)
    if as_json:
        _json([{"busy": share, "usd_per_million": cost} for share, cost in rows])
        return
    from mainstay.planning.text import show_cost

    source = "" if usd_per_hour else f" ({plan.device.priced})"
    title = f"{_name(plan)}, {batch} at once: per million tokens written at ${hour:,.2f} an hour{source}"
    show_cost(_console(), title, rows, None)


@app.command("replicas")
def _replicas(
    model: Model,
    gpu: Gpu,
    requests_per_day: Daily,
    count: Count = 0,
    precision: Bits = "bf16",
    kv: Kv = "bf16",
    into: Into = 1155,
    out: Out = 211,
    cached: Cached = 0.0,
    peak: Peak = 3.0,
    itl: Itl = 50.0,
    ttft: Ttft = 0.0,
    busiest: Busiest = 0.7,
    spares: Spares = 1,
    as_json: AsJson = False,
) -> None:
    """Say how many replicas a traffic needs.

    \b
    Examples:
      mainstay plan replicas llama-3.1-8b --gpu L40S -r 500000 --peak 4
      mainstay plan replicas llama-3.3-70b --gpu H100 -p fp8 -r 2000000 --ttft 800 --itl 40
    """
    from mainstay.cli.plan_files import replica
    from mainstay.planning.capacity import Goals, capacity
    from mainstay.planning.traffic import Traffic

    plan = replica(model, gpu, count, precision, kv, 0.9, int(into + out))
    traffic = Traffic(
        requests_per_month=requests_per_day * 30.44,
        input_tokens=into,
        output_tokens=out,
        cached_share=cached,
        peak_to_mean=peak,
    )
    goals = Goals(ttft_ms=ttft or None, itl_ms=itl or None, busiest=busiest, spares=spares)
    need = capacity(plan, traffic, goals)
    if as_json:
        _json(need)
        return
    from mainstay.planning.text import show_capacity

    show_capacity(_console(), _name(plan), need)


@app.command("buy-or-build")
def _buy_or_build(
    model: Model,
    gpu: Gpu,
    requests_per_day: Daily,
    price_in: Annotated[float, typer.Option(min=0, help="The vendor's price of a million input tokens.")],
    price_out: Annotated[float, typer.Option(min=0, help="The vendor's price of a million output tokens.")],
    count: Count = 0,
    precision: Bits = "bf16",
    into: Into = 1155,
    out: Out = 211,
    cached: Cached = 0.0,
    peak: Peak = 3.0,
    usd_per_hour: Hourly = 0.0,
    people: Annotated[float, typer.Option(min=0, help="People who run it, in full posts.")] = 0.5,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say from what volume on building pays.

    A scenario in YAML says more than these options.

    \b
    Examples:
      mainstay plan buy-or-build llama-3.3-70b --gpu H100 -p fp8 -r 200000 --price-in 2 --price-out 8
    """
    from mainstay.cli.plan_files import model_files, scenario_of
    from mainstay.planning.answer import answer

    size, file_bytes = model_files(model)
    asked = scenario_of(
        {
            "model": {
                "name": model[:200],
                "gpu": gpu,
                "precision": precision,
                "gpus_per_replica": count or "auto",
            },
            "traffic": {
                "requests_per_day": requests_per_day,
                "input_tokens": into,
                "output_tokens": out,
                "cached_share": cached,
                "peak_to_mean": peak,
            },
            "build": {"usd_per_gpu_hour": usd_per_hour or None, "people": people},
            "buy": {"price": {"input": price_in, "output": price_out}},
        }
    )
    _show(answer(asked, size=size, file_bytes=file_bytes), as_json, html)


@app.command("devices")
def _devices(as_json: AsJson = False) -> None:
    """List the devices that are known.

    Memory in GiB, bandwidth in GB/s, peak in TFLOPS, dollars per hour.

    \b
    Examples:
      mainstay plan devices
    """
    from mainstay.core.hardware import all_accelerators

    if as_json:
        _json(all_accelerators())
        return
    rows = [
        (
            each.name,
            each.kind,
            f"{each.memory_gib:g}",
            f"{each.bandwidth_gbs:g}",
            f"{each.peak('bf16'):g}",
            "" if each.usd_per_hour is None else f"{each.usd_per_hour:g}",
        )
        for each in all_accelerators()
    ]
    print_rows(("device", "kind", "GiB", "GB/s", "TFLOPS", "$/h"), rows, "")


@app.command("models")
def _models(as_json: AsJson = False) -> None:
    """List the models whose shape is known.

    Billions of parameters in all and active, layers, longest context.

    \b
    Examples:
      mainstay plan models
    """
    from mainstay.core.sizes import all_sizes

    known = [each for each in all_sizes() if each.known]
    if as_json:
        _json(known)
        return
    rows = [(s.name, f"{s.total_b:g}", f"{s.active_b:g}", str(s.layers), str(s.context)) for s in known]
    print_rows(("model", "total", "active", "layers", "context"), rows, "")


def _name(plan: "Deployment") -> str:
    return f"{plan.size.name} in {plan.precision.name} on {plan.devices} x {plan.device.name}"


def _console() -> "Console":
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def _json(value: object) -> None:
    import msgspec

    # An infinity, such as an endless wait, is null in JSON.
    typer.echo(json.dumps(json.loads(msgspec.json.encode(value)), indent=2, ensure_ascii=False))


def _show(found: "Answer", as_json: bool, html: Path | None) -> None:
    if html is not None:
        from mainstay.planning.page import page

        try:
            html.write_text(page(found), encoding="utf-8")
        except OSError as error:
            raise StartError(f"The page cannot be written to {html}: {os.strerror(error.errno or 0)}.") from None
    if as_json:
        _json(found)
        return
    from mainstay.planning.text import show_answer

    show_answer(_console(), found)
    if html is not None:
        typer.echo(f"The page is {html}.", err=True)
