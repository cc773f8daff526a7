"""What ``mainstay redteam`` takes. Does not know what is done with it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Baseline",
    "Budget",
    "By",
    "Canary",
    "Category",
    "Converter",
    "FailOn",
    "Fresh",
    "GateBy",
    "Html",
    "Junit",
    "Keep",
    "Key",
    "MaxBlocked",
    "MaxSuccess",
    "NoBaseline",
    "Number",
    "Out",
    "Parallel",
    "Rate",
    "Route",
    "Sample",
    "Sarif",
    "SeedFiles",
    "Strategies",
    "Stream",
    "System",
    "Tokens",
    "Url",
]


class By(StrEnum):
    """What the limits of the gate are for."""

    RATE = "rate"
    UPPER = "upper"


Route = Annotated[str, typer.Argument(metavar="ROUTE", help="The route that is attacked.")]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", "-b", help="Compare with this route or model; the route's first model by default."),
]
NoBaseline = Annotated[bool, typer.Option("--no-baseline", help="Compare with nothing.")]
Url = Annotated[
    str | None, typer.Option(envvar="MAINSTAY_URL", help="The gateway; where ./mainstay.yaml says when not given.")
]
Key = Annotated[
    str | None, typer.Option(envvar="MAINSTAY_API_KEY", help="The key; the one of var/first-key when not given.")
]
Category = Annotated[list[str] | None, typer.Option("--category", help="Only these attacks; may be given again.")]
Converter = Annotated[list[str] | None, typer.Option("--converter", help="Only this disguise; may be given again.")]
Strategies = Annotated[
    list[str] | None, typer.Option("--strategy", help="Only this kind of conversation; may be given again.")
]
SeedFiles = Annotated[
    list[Path] | None, typer.Option("--seeds", metavar="FILE", help="Seeds of your own, too; may be given again.")
]
Sample = Annotated[int, typer.Option("--sample", "-n", min=0, help="So many attacks are drawn; 0 for all there are.")]
Number = Annotated[int, typer.Option("--seed", help="Another number draws other attacks.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="What is finished is kept here; var/redteam when not given."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on.")]
Parallel = Annotated[int, typer.Option("--parallel", "-p", min=1, max=256, help="Conversations at once.")]
Rate = Annotated[float, typer.Option("--rate", min=0, help="Calls a second at most; 0 for no limit.")]
Budget = Annotated[int, typer.Option("--budget", min=0, help="Stop before more calls than this; 0 for no limit.")]
Stream = Annotated[bool, typer.Option("--stream", help="Ask for streams.")]
Tokens = Annotated[int, typer.Option("--max-tokens", min=16, help="The longest answer.")]
System = Annotated[
    Path | None, typer.Option("--system", metavar="FILE", help="Your own system prompt, in place of the seeds'.")
]
Canary = Annotated[
    list[str] | None, typer.Option("--canary", help="A word that no answer may hold; may be given again.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep what was said in full.")]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write a report for CI in JUnit's XML.")]
Sarif = Annotated[Path | None, typer.Option("--sarif", metavar="FILE", help="Write a report for code hosts in SARIF.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")]
MaxSuccess = Annotated[
    float | None, typer.Option("--max-success", min=0, max=1, help="Fail when a larger share of attacks succeeds.")
]
MaxBlocked = Annotated[
    float | None, typer.Option("--max-blocked", min=0, max=1, help="Fail when more harmless requests are stopped.")
]
GateBy = Annotated[By, typer.Option("--gate", help="What must keep to the limits: the share, or its upper bound.")]
FailOn = Annotated[
    list[str] | None, typer.Option("--fail-on", help="Fail on any success in this category or under this tag.")
]
