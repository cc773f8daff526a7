"""``mainstay energy``: joules, grams of CO2 and water of a call, before it is made; and the meters of this machine."""

import os
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from pydantic import ValidationError

from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows
from mainstay.core.errors import ConfigError
from mainstay.core.usage import Usage

if TYPE_CHECKING:  # loaded when the command runs: the others start without
    from mainstay.energy.config import EnergyConfig, ModelEnergyConfig, PlaceConfig
    from mainstay.energy.profile import Served
    from mainstay.energy.service import Report

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_TITLES = {
    "energy": "energy",
    "carbon_location": "CO2, of the grid",
    "carbon_market": "CO2, after contracts",
    "carbon_embodied": "CO2, of making the hardware",
    "water": "water",
}
#: How long a meter is watched.
_WATCH = 1.0


class _Method(StrEnum):
    MODELLED = "modelled"
    ECOLOGITS = "ecologits"


@app.callback()
def _verbs() -> None:
    """Joules, grams of CO2 and water of a call.

    \b
    Examples:
      mainstay energy estimate llama-3.3-70b --gpu H100 --count 4 --batch 64 --zone DE
      mainstay energy meters
    """


@app.command(name="estimate")
def _estimate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of the configuration, or any model's name.")],
    read: Annotated[int, typer.Option("--in", min=0, help="Tokens read.")] = 1000,
    written: Annotated[int, typer.Option("--out", min=0, help="Tokens written.")] = 200,
    cached: Annotated[int, typer.Option(min=0, help="Of those read, how many come from the cache.")] = 0,
    gpu: Annotated[str | None, typer.Option(metavar="DEVICE", help="The device it runs on, such as H100.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Devices of one replica.")] = None,
    batch: Annotated[float | None, typer.Option(min=1, help="Requests at the same time, on average.")] = None,
    params: Annotated[float | None, typer.Option(help="Billions of parameters.")] = None,
    active: Annotated[float | None, typer.Option(help="Billions of them used for a token.")] = None,
    bits: Annotated[float | None, typer.Option(help="Bits of one parameter.")] = None,
    zone: Annotated[str | None, typer.Option(help="Whose grid: DE, aws:eu-west-1.")] = None,
    pue: Annotated[float | None, typer.Option(help="Energy of the data centre for each unit that computes.")] = None,
    vendor: Annotated[str, typer.Option(help="Kind of the provider that serves it: openai, gemini.")] = "",
    seconds: Annotated[float, typer.Option(min=0, help="How long it takes, where time tells.")] = 0.0,
    method: Annotated[_Method | None, typer.Option(help="How it is found.")] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """What a call of a model would take, with 80 % intervals.

    What the options do not say is taken from the configuration where it has the model, from tables of models and
    devices, or assumed; what was assumed is listed.

    \b
    Examples:
      mainstay energy estimate gpt-4o-mini --in 1000 --out 200 --vendor openai
      mainstay energy estimate llama-3.3-70b --gpu H100 --count 4 --batch 64 --zone DE --json
    """
    from mainstay.energy.service import imagine

    place = {"zone": zone, "pue": pue}
    own = {"accelerator": gpu, "count": count, "batch": batch, "params": params, "active": active, "bits": bits}
    served, energy, runs = _known(model, vendor, config, place, own, method)
    usage = Usage(input=read, output=written, cache_read=min(cached, read))
    report = imagine(served, energy, runs, usage, seconds)
    if as_json:
        print_json(msgspec.to_builtins(report))
    else:
        _show(report)


def _known(
    model: str,
    vendor: str,
    config: Path | None,
    place: dict[str, Any],
    own: dict[str, Any],
    method: _Method | None,
) -> "tuple[Served, EnergyConfig, ModelEnergyConfig]":
    """Return what serves ``model``, where, and what it runs on; options go before the configuration."""
    from mainstay.energy.config import EnergyConfig, ModelEnergyConfig
    from mainstay.energy.profile import Served

    served = Served(model, model, "", vendor)
    energy, runs = EnergyConfig(), ModelEnergyConfig()
    if config is not None or any(Path(name).is_file() for name in ("mainstay.yaml", "mainstay.yml")):
        from mainstay.assembly.footprints import served_of
        from mainstay.config import load_config

        loaded = load_config(find_config(config), os.environ).config
        energy = loaded.energy
        if model in loaded.models:
            served, runs = served_of(model, loaded), loaded.models[model].energy or runs
    # A figure was asked for, also where the gateway keeps none.
    wanted = str(method) if method is not None else "modelled" if energy.method == "off" else energy.method
    try:
        runs = ModelEnergyConfig.model_validate(_over(runs, own))
        there = energy.providers.get(served.provider) or (energy if served.local else None)
        spot = _spot(there, place)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]) if first["loc"] else "active"
        words = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--{'gpu' if where == 'accelerator' else where}: {words}") from None
    providers = energy.providers | {served.provider: spot}
    return served, energy.model_copy(update={"method": wanted, "providers": providers}), runs


def _over(section: "ModelEnergyConfig", options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of ``section`` with what ``options`` say over them."""
    return section.model_dump() | {name: value for name, value in options.items() if value is not None}


def _spot(there: "PlaceConfig | None", options: dict[str, Any]) -> "PlaceConfig":
    from mainstay.energy.config import PlaceConfig

    known = {name: getattr(there, name, None) for name in PlaceConfig.model_fields}
    return PlaceConfig.model_validate(known | {name: value for name, value in options.items() if value is not None})


def _show(report: "Report") -> None:
    rows = []
    for name, title in _TITLES.items():
        one = report.figures[name]
        interval = "" if one["value"] is None else f"{_round(one['low'])} to {_round(one['high'])}"
        value = "not known" if one["value"] is None else f"{_round(one['value'])} {one['unit']}"
        rows.append((title, value, interval, one["reason"]))
    print_rows(("", "likely", "80 % interval", "why not"), rows, "")
    size = f"{_round(report.size_b)} B parameters"
    if report.active_b != report.size_b:
        size += f", {_round(report.active_b)} B active"
    typer.echo(f"{report.method}: {size}, {report.count} x {report.device}, batch {_round(report.batch)}", err=True)
    typer.echo(f"grid {report.zone or 'not known'}, PUE {_round(report.pue)}, data centre included", err=True)
    for words in report.assumed:
        typer.echo(f"assumed: {words}", err=True)


def _round(number: float) -> str:
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"


@app.command(name="meters")
def _meters(as_json: AsJson = False) -> None:
    """Which meters of energy this machine has, and why not others.

    Each is watched for a second. Without one, local engines are modelled from their processor time.

    \b
    Examples:
      mainstay energy meters
      mainstay energy meters --json
    """
    from mainstay.energy.service import open_meters

    meters = open_meters()
    before = [(meter.read(), time.monotonic()) for meter in meters]
    if any(reading.joules is not None for reading, _ in before):
        time.sleep(_WATCH)
    found = []
    for meter, (first, at) in zip(meters, before, strict=True):
        last, passed = meter.read(), time.monotonic() - at
        watts = None
        if first.joules is not None and last.joules is not None and passed > 0:
            watts = round((last.joules - first.joules) / passed, 1)
        found.append({"name": meter.name, "boundary": meter.boundary, "watts": watts, "reason": last.reason})
        meter.close()
    if as_json:
        print_json(found)
        return
    rows = [
        (str(one["name"]), "" if one["watts"] is None else f"{one['watts']} W", str(one["reason"])) for one in found
    ]
    print_rows(("meter", "now", "why not"), rows, "")


@app.command(name="zones")
def _zones(
    words: Annotated[str, typer.Argument(metavar="WORDS", help="Only zones with these words in them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Zones that may be named, and the carbon intensity of their grids.

    \b
    Examples:
      mainstay energy zones germany
      mainstay energy zones aws: --json
    """
    from mainstay.energy.grid import all_zones

    sought = words.lower()
    zones = [zone for zone in all_zones().values() if sought in f"{zone.name} {zone.place}".lower()]
    if as_json:
        print_json(msgspec.to_builtins(zones))
        return
    rows = [(zone.name, zone.place, f"{zone.grams:.0f} g/kWh", str(zone.year)) for zone in zones]
    print_rows(("zone", "where", "CO2", "year"), rows, "No zone has these words in its name.")
