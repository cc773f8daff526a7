"""``mainstay novelty``: what a route is usually asked, how unlike that a text is, and whether the mix has changed.

What is kept of a history are vectors, in var/novelty; texts are read, turned into them and dropped.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.database import load_newest, opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows
from mainstay.config import Loaded, load_config
from mainstay.core.clock import wall_ms
from mainstay.core.config import parse_duration
from mainstay.core.errors import StartError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mainstay.guardrails.novelty import Novelty

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_DAY = 86_400_000
#: Calls of each side that are compared; time grows with the square.
_COMPARED = 500

RouteName = Annotated[str, typer.Argument(metavar="ROUTE", help="The route, by its name in 'routes'.")]


@app.callback()
def _novelty() -> None:
    """Requests unlike a route's history.

    Learn the history, score a text, see whether the mix has changed.

    \b
    Examples:
      mainstay novelty fit assistant --since 30d
      mainstay novelty score assistant "How do I reset my password?"
      mainstay novelty drift
    """


@app.command("fit")
def _fit(
    route: RouteName,
    config: ConfigOption = None,
    texts_file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Learn from a file instead: lines of JSON, texts or objects with 'text'."),
    ] = None,
    since: Annotated[str, typer.Option(help="From records not older than this: 12h, 30d.")] = "30d",
    limit: Annotated[int, typer.Option(min=100, max=25_000, help="At most so many, the newest.")] = 5000,
    as_json: AsJson = False,
) -> None:
    """Learn what a route is asked.

    From records that kept their content (`content: full` on the route), or from a file of texts. A running gateway
    takes it up. A fit takes the place of the one before: what was erased from the records is in it no more.

    \b
    Examples:
      mainstay novelty fit assistant --since 30d
      mainstay novelty fit assistant --file texts.jsonl
    """
    from mainstay.guardrails.novelty_rail import fit_reference, reference_path
    from mainstay.store.files import private_dir, write_atomic

    loaded = _loaded(config, route)
    if texts_file is not None:
        texts, source = _read(texts_file)[:limit], "file"
    else:
        texts, source = [text for _, text in _recorded(loaded, route, _ago(since), None, limit)], "records"
    try:
        made, data = fit_reference(_vectors(texts), route, source)
    except ValueError as error:
        hint = "" if texts_file is not None else "; set 'content: full' on the route, or take more days with --since"
        raise StartError(f"{str(error)[:1].upper()}{str(error)[1:]}{hint}.") from None
    path = reference_path(loaded.home, route)
    private_dir(path.parent)
    write_atomic(path, data)
    if as_json:
        print_json(_shown(route, made))
        return
    typer.echo(f"Learnt {made.size} requests of '{route}' from {source}; p-values go down to {made.floor:.4f}.")


@app.command("score")
def _score(
    route: RouteName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What would be asked.")],
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Say how unlike a route's history a text is.

    The p-value is the share of the history that is as unusual; the score is 0 in its middle, and 1 a spread above.

    \b
    Examples:
      mainstay novelty score assistant "Write a poem about my boat"
    """
    history = _history(_loaded(config, route), route)
    vector = _vectors([text], quiet=True)
    score, p = float(history.scores(vector)[0]), float(history.p_values(vector)[0])
    if as_json:
        print_json({"route": route, "score": round(score, 4), "p": round(p, 6), "novel": round(1 - p, 6)})
        return
    typer.echo(f"p = {p:.4f} (score {score:.2f}): {_words(p, history.floor)}")


@app.command("drift")
def _drift(
    routes: Annotated[
        list[str] | None, typer.Argument(metavar="[ROUTE]...", help="Routes; all that keep content when not given.")
    ] = None,
    config: ConfigOption = None,
    days: Annotated[float, typer.Option(min=0.01, help="Length of the two windows: the last, and the one before.")] = 7,
    rate: Annotated[float, typer.Option(min=0.001, max=0.5, help="Share of false alarms among alarms.")] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Test whether what routes are asked has changed.

    The last days against as many before them: the mix itself (maximum mean discrepancy), and, where a history was
    fitted, how unusual it is (Kolmogorov-Smirnov). Of all tests together at most the given share of alarms is false
    (Benjamini-Hochberg). Exit code 1 when there is an alarm.

    \b
    Examples:
      mainstay novelty drift --days 7
      mainstay novelty drift assistant --json
    """
    loaded = load_config(find_config(config), os.environ)
    names = routes or [name for name, row in loaded.config.routes.items() if row.content != "none"]
    for name in names:
        _check(loaded, name)
    rows = [row for name in names for row in _tests(loaded, name, round(days * _DAY))]
    _mark(rows, rate)
    if as_json:
        print_json(rows)
    else:
        shown = [
            (str(row["route"]), str(row["test"]), str(row["before"]), str(row["after"]), row["statistic"], row["p"])
            for row in rows
        ]
        cells = [
            (*head, "" if gap is None else f"{gap:.4f}", "" if p is None else f"{p:.4f}", str(row["verdict"]))
            for (*head, gap, p), row in zip(shown, rows, strict=True)
        ]
        columns = ("route", "test", "before", "after", "statistic", "p", "verdict")
        print_rows(columns, cells, "No route keeps content: set 'content: full' on one.")
    if any(row["verdict"] == "changed" for row in rows):
        raise typer.Exit(1)


@app.command("list")
def _list(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """List the histories that were learnt.

    \b
    Examples:
      mainstay novelty list
    """
    from mainstay.guardrails.novelty import Novelty

    loaded = load_config(find_config(config), os.environ)
    found = []
    for path in sorted((loaded.home / "novelty").glob("*.safetensors")):
        try:
            history = Novelty.load(path.read_bytes())
        except ValueError:
            continue
        found.append(_shown(history.notes.get("route", path.stem), history))
    if as_json:
        print_json(found)
        return
    rows = [(row["route"], str(row["count"]), row["source"], row["made_at"], f"{row['floor']:.4f}") for row in found]
    print_rows(("route", "requests", "from", "made", "least p"), rows, "No history was learnt.")


@app.command("forget")
def _forget(route: RouteName, config: ConfigOption = None) -> None:
    """Delete a route's history.

    \b
    Examples:
      mainstay novelty forget assistant
    """
    from mainstay.guardrails.novelty_rail import reference_path

    loaded = load_config(find_config(config), os.environ)
    try:
        reference_path(loaded.home, route).unlink()
    except FileNotFoundError:
        raise StartError(f"There is no history of '{route}': 'mainstay novelty list' shows those there are.") from None
    typer.echo(f"The history of '{route}' is deleted.")


def _loaded(config: Path | None, route: str) -> Loaded:
    loaded = load_config(find_config(config), os.environ)
    _check(loaded, route)
    return loaded


def _check(loaded: Loaded, route: str) -> None:
    if route not in loaded.config.routes:
        raise StartError(f"There is no route '{route}'; the configuration has {', '.join(loaded.config.routes)}.")


def _history(loaded: Loaded, route: str) -> "Novelty":
    from mainstay.guardrails.novelty_rail import open_reference, reference_path

    return open_reference(reference_path(loaded.home, route))


def _ago(text: str) -> int:
    try:
        return wall_ms() - round(parse_duration(text) * 1000)
    except ValueError:
        raise typer.BadParameter("write a time such as 12h or 30d.", param_hint="--since") from None


def _read(file: Path) -> list[str]:
    """Return the texts of a file of JSON lines."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise StartError(f"{file} cannot be read as UTF-8 text.") from None
    texts = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        text = row.get("text") if isinstance(row, dict) else row
        if not isinstance(text, str):
            raise StartError(f"Line {number} of {file} is neither a text in JSON nor an object with one as 'text'.")
        texts.append(text)
    return texts


def _recorded(loaded: Loaded, route: str, since: int, until: int | None, most: int) -> list[tuple[int, str]]:
    from mainstay.assembly.asked import recorded_texts
    from mainstay.assembly.kept import open_seal

    with opened(loaded) as engine:
        load_newest(engine, loaded)
        return list(recorded_texts(engine, open_seal(engine, loaded), route, since, until, most))


def _vectors(texts: list[str], *, quiet: bool = False) -> "NDArray[np.float32]":
    from mainstay.guardrails.novelty_rail import embed

    if quiet or not texts:
        return embed(texts)
    with _progress(len(texts)) as told:
        return embed(texts, told)


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show how far reading is, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=total)
        yield lambda count: bar.update(task, advance=count)


def _tests(loaded: Loaded, route: str, window: int) -> list[dict[str, Any]]:
    """Return the tests of one route, without verdicts."""
    from mainstay.guardrails.drift import kolmogorov_smirnov, mean_discrepancy

    now = wall_ms()
    found = {
        side: [text for _, text in _recorded(loaded, route, now - ago * window, now - (ago - 1) * window, _COMPARED)]
        for side, ago in (("before", 2), ("after", 1))
    }
    counts = {side: len(texts) for side, texts in found.items()}
    row = {"route": route, "test": "mix", **counts, "statistic": None, "p": None}
    if min(counts.values()) < 2:
        return [row]
    before, after = (_vectors(found[side], quiet=True) for side in ("before", "after"))
    gap, p = mean_discrepancy(before, after)
    rows = [{**row, "statistic": round(gap, 6), "p": round(p, 6)}]
    try:
        history = _history(loaded, route)
    except StartError:
        return rows
    gap, p = kolmogorov_smirnov(history.scores(before).tolist(), history.scores(after).tolist())
    return [*rows, {**row, "test": "novelty", "statistic": round(gap, 6), "p": round(p, 6)}]


def _mark(rows: list[dict[str, Any]], rate: float) -> None:
    """Give each test its verdict, all of them weighed together."""
    from mainstay.guardrails.drift import benjamini_hochberg

    tested = [row for row in rows if row["p"] is not None]
    for row in rows:
        row["verdict"] = "too few calls"
    for row, changed in zip(tested, benjamini_hochberg([row["p"] for row in tested], rate), strict=True):
        row["verdict"] = "changed" if changed else "as before"


def _shown(route: str, history: "Novelty") -> dict[str, Any]:
    notes = history.notes
    made = {name: notes.get(name, "") for name in ("source", "made_at", "encoder")}
    return {"route": route, "count": history.size, **made, "floor": round(history.floor, 6)}


def _words(p: float, floor: float) -> str:
    if p <= max(0.01, floor):
        return "unlike nearly all that the route was asked"
    return "unusual" if p <= 0.05 else "like what the route is asked"
