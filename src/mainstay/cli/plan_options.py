"""Options that several commands of ``mainstay plan`` share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Bits", "Busiest", "Cached", "Count", "Daily", "Gpu", "Hourly", "Html", "Into", "Itl", "Kv", "Model", "Out", "Peak",
    "Spares", "Ttft", "Usable",
]  # fmt: skip

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="Its name (llama-3.3-70b), or its config.json or GGUF file.")
]
Gpu = Annotated[str, typer.Option("--gpu", "-g", help="The device: H100, L40S, 'RTX 4090'; 'plan devices' lists them.")]
Count = Annotated[
    int,
    typer.Option("--count", "-n", min=0, max=4096, help="Devices that share a copy; 0 for the fewest it fits on."),
]
Bits = Annotated[str, typer.Option("--precision", "-p", help="Of the weights: bf16, fp8, int4, q4_k_m.")]
Kv = Annotated[str, typer.Option(help="Of the key-value cache: bf16 or fp8.")]
Usable = Annotated[float, typer.Option(min=0.1, max=1.0, help="Share of a device's memory for the engine.")]
Into = Annotated[float, typer.Option("--input", "-i", min=1, help="Tokens of a prompt, on average.")]
Out = Annotated[float, typer.Option("--output", "-o", min=1, help="Tokens of an answer, on average.")]
Cached = Annotated[float, typer.Option(min=0, max=1, help="Share of the prompt that a cache serves.")]
Itl = Annotated[float, typer.Option("--itl", min=0, help="Milliseconds between tokens, at most; 0 for no promise.")]
Ttft = Annotated[float, typer.Option("--ttft", min=0, help="p95 of the first token in ms at the peak; 0 for none.")]
Daily = Annotated[float, typer.Option("--requests-per-day", "-r", min=1, help="Requests on an average day.")]
Peak = Annotated[float, typer.Option("--peak", min=1, help="The busiest five minutes over the mean.")]
Hourly = Annotated[float, typer.Option("--usd-per-hour", min=0, help="One device for an hour; 0 for the table's.")]
Busiest = Annotated[float, typer.Option(min=0.05, max=1, help="How busy a replica may be at the peak.")]
Spares = Annotated[int, typer.Option(min=0, max=1000, help="Replicas beyond need.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")]
