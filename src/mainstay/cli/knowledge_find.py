"""Verbs of ``mainstay knowledge`` about questions: what they find or found at another time, what is answered from that,
and how well they find it."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from mainstay.cli.client import Client, default_url, kept_key
from mainstay.cli.knowledge_options import (
    At,
    Base,
    Fields,
    Groups,
    Most,
    Public,
    VersionOption,
    moment,
    opened_knowledge,
    print_found,
    rows_of,
    time_of,
    viewer,
)
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows, printable
from mainstay.config import Loaded
from mainstay.core.errors import StartError
from mainstay.runtime.state import is_running

__all__ = ["ask", "asof", "evaluate", "search"]

Question = Annotated[str, typer.Argument(metavar="QUESTION", help="What is looked for, in words.")]
Url = Annotated[
    str | None, typer.Option(envvar="MAINSTAY_URL", help="The gateway; where the configuration says when not given.")
]
Key = Annotated[
    str | None, typer.Option(envvar="MAINSTAY_API_KEY", help="The key; the one of var/first-key when not given.")
]


def search(
    base: Base,
    question: Question,
    config: ConfigOption = None,
    most: Most = 6,
    group: Groups = None,
    public: Public = False,
    field: Fields = None,
    version: VersionOption = "",
    at: At = "",
    as_json: AsJson = False,
) -> None:
    """Show what a question finds.

    Best first, with the place in the document that each passage stands at, in characters.

    \b
    Examples:
      mainstay knowledge search handbook "How long is the warranty?"
      mainstay knowledge search handbook warranty --public --at 7d
    """
    groups, when, where = viewer(group, public=public), moment(at, "--at"), rows_of(field, "--field")
    with opened_knowledge(config) as (knowledge, _):
        found = knowledge.search(base, question, most=most, groups=groups, where=where, version=version, at=when)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        print_found(found)


def asof(
    base: Base,
    time: Annotated[str, typer.Argument(metavar="TIME", help="7d (so long ago), or 2026-11-21T08:00 (UTC).")],
    question: Question,
    config: ConfigOption = None,
    most: Most = 6,
    group: Groups = None,
    public: Public = False,
    as_json: AsJson = False,
) -> None:
    """Show what a question found then.

    What it would have found at a moment of the past, in the version that was live. What was retracted since is gone
    from the past, too.

    \b
    Examples:
      mainstay knowledge asof handbook 7d "How long is the warranty?"
      mainstay knowledge asof handbook 2026-11-21T08:00 "How long is the warranty?"
    """
    when = moment(time, "TIME")
    with opened_knowledge(config) as (knowledge, _):
        found = knowledge.search(base, question, most=most, groups=viewer(group, public=public), at=when)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        print_found(found, f" as of {time_of(when)} UTC")


def ask(
    base: Base,
    question: Question,
    config: ConfigOption = None,
    route: Annotated[
        str, typer.Option("--route", "-r", help="The route that answers; the first one that uses the base otherwise.")
    ] = "",
    most: Most = 6,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Ask a question and get an answer with its sources.

    Through the running gateway, by a route whose `knowledge` names the base. Where none runs, what was found is shown.

    \b
    Examples:
      mainstay knowledge ask handbook "How long is the warranty?"
      mainstay knowledge ask handbook "How long is the warranty?" --route support
    """
    with opened_knowledge(config) as (knowledge, loaded):
        name = route or _route_of(base, loaded)
        running = url is not None or is_running(loaded.home / "run")
        found = None if name and running else knowledge.search(base, question, most=most)
    if found is None:
        path = find_config(config)
        _answer(Client(url or default_url(path), key or kept_key(path)), name, question, as_json=as_json)
        return
    why = (
        f"No route uses this knowledge; give one the line 'knowledge: {base}', and ask again."
        if not name
        else "Nothing runs here, so nobody answers; start it with: mainstay up"
    )
    if as_json:
        print_json({"answer": None, "why": why, "found": msgspec.to_builtins(found)})
    else:
        print_found(found)
        typer.echo(why, err=True)


def _route_of(base: str, loaded: Loaded) -> str:
    for name, row in loaded.config.routes.items():
        if row.knowledge is not None and row.knowledge.base == base:
            return name
    return ""


def _answer(client: Client, route: str, question: str, *, as_json: bool) -> None:
    # The same question gets the same answer, as far as the model can.
    body = {"model": route, "messages": [{"role": "user", "content": question}], "temperature": 0}
    answer, _ = client.post("/v1/chat/completions", body)
    if as_json:
        print_json(answer)
        return
    message = answer["choices"][0]["message"]
    typer.echo(message.get("content") or message.get("refusal") or "")
    told = {
        _said(annotation["mainstay"]): None
        for annotation in message.get("annotations") or ()
        if "mainstay" in annotation
    }
    typer.echo("")
    for line in told:
        typer.echo(printable(line))
    if told:
        return
    grounding = (message.get("mainstay") or {}).get("grounding") or {}
    if grounding.get("sources"):
        typer.echo("It cites none of the passages that the model was given.", err=True)
    else:
        typer.echo("The model was given no passage: nothing was found, or not within 'within' of the route.", err=True)


def _said(cited: dict[str, Any]) -> str:
    """Return a citation in a line: where it stands, its words, and what was found when it was checked."""
    where = f"{cited.get('document', '')}, revision {cited.get('revision', '')}, passage {cited.get('passage', '')}"
    verdict = cited.get("verdict", "unchecked")
    checked = "" if verdict == "unchecked" else f" ({verdict})"
    return f"[{cited.get('number', '')}] {where}{checked}: “{cited.get('quote', '')}”"


def evaluate(
    base: Base,
    questions: Annotated[
        Path, typer.Argument(metavar="FILE", help="Lines of JSON: a question, and which documents answer it.")
    ],
    config: ConfigOption = None,
    version: VersionOption = "",
    against: Annotated[str, typer.Option("--against", help="Compare with this version.")] = "",
    learn: Annotated[
        bool, typer.Option("--learn", help="Use the weight of meaning against words that finds best, from now on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how well questions find their documents.

    Each line is `{"question": …, "relevant": ["docs/warranty.md", …]}`, or with grades, `{"docs/warranty.md": 2}`. With
    --against, both versions are asked the same, and the difference has a 95 % interval (paired bootstrap). --learn uses
    another weight only where that gains on questions that were held out.

    \b
    Examples:
      mainstay knowledge eval handbook questions.jsonl
      mainstay knowledge eval handbook questions.jsonl --version next --against main
    """
    try:
        lines = questions.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise StartError(f"'{questions}' cannot be read as text.") from None
    with opened_knowledge(config, changing=learn) as (knowledge, _):
        learned = knowledge.learn(base, lines, version=version, why=f"learnt from {questions.name}") if learn else None
        found = knowledge.evaluate(base, lines, version=version, against=against)
    if as_json:
        print_json(msgspec.to_builtins(found) | ({"learned": msgspec.to_builtins(learned)} if learned else {}))
        return
    if learned is not None:
        typer.echo(f"The weight of meaning is {learned.weight:.2f}, and was {learned.before:.2f}: {learned.why}.")
    sides = [found.one, *([found.other] if found.other is not None else [])]
    cells = [
        (
            side.version,
            str(side.questions),
            f"{side.ndcg:.4f}",
            f"{side.low:.4f} to {side.high:.4f}",
            f"{side.recall:.4f}",
            f"{side.mrr:.4f}",
            f"{side.ms:.1f}",
        )
        for side in sides
    ]
    print_rows(("version", "questions", "nDCG@10", "95 %", "recall@10", "MRR@10", "ms a question"), cells, "")
    gain = found.gain
    if gain is not None:
        sure = "no difference is shown" if gain.low <= 0 <= gain.high else "a difference"
        typer.echo(f"nDCG@10 {gain.gain:+.4f} (95 %: {gain.low:+.4f} to {gain.high:+.4f}): {sure}.")
