"""``mainstay policy``: check usage policies, test them with cases, and see how one call is decided."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json, print_rows, printable
from mainstay.config import Loaded, load_config
from mainstay.core.errors import ConfigError, NotFound, StartError

if TYPE_CHECKING:
    from mainstay.governance.cases import Outcome
    from mainstay.governance.policy import Asking, Policies

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Several = Annotated[str, typer.Option(help="What the rails found and let out, comma-separated: personal,email.")]


@app.callback()
def _policy() -> None:
    """Usage policies: who may send what data where.

    To which model, for which purpose.

    \b
    Examples:
      mainstay policy check
      mainstay policy test --junit policies.xml
      mainstay policy explain --key alice --model gpt --data personal
    """


@app.command("check")
def _check(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Find what is wrong with the policies, and list them.

    \b
    Examples:
      mainstay policy check
      mainstay policy check --config /etc/mainstay/ --json
    """
    _, policies = _opened(config)
    rows = [(one.id, "permit" if one.permits else "forbid", f"{one.path}:{one.line}") for one in policies.policies]
    if as_json:
        names = ("id", "effect", "place")
        found: dict[str, Any] = {"policies": [dict(zip(names, row, strict=True)) for row in rows]}
        print_json({**found, "version": policies.version, "warnings": _warnings(policies)})
        return
    print_rows(("policy", "effect", "place"), rows, "There are no policies.")
    for warning in _warnings(policies):
        typer.echo(f"warning: {warning}", err=True)


@app.command("schema")
def _schema() -> None:
    """Print what policies can speak of, for editors.

    A schema of Cedar.

    \b
    Examples:
      mainstay policy schema > mainstay.cedarschema
    """
    from mainstay.governance.cedar import SCHEMA

    typer.echo(SCHEMA.rstrip())


@app.command("test")
def _test(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Files of cases; those beside the policies, *.test.yaml, when not given."),
    ] = None,
    config: ConfigOption = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report in JUnit's XML.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide cases, and compare with what they expect.

    The exit code is 1 if a case comes out otherwise.

    \b
    Examples:
      mainstay policy test
      mainstay policy test cases.yaml --junit policies.xml
    """
    from mainstay.governance.cases import junit as write_junit
    from mainstay.governance.cases import read_cases, run

    loaded, policies = _opened(config)
    cases = [case for file in files or _beside(loaded) for case in read_cases(str(file), _text(file))]
    outcomes = run(policies, cases)
    if junit is not None:
        _write(junit, write_junit(outcomes))
    failed = sum(bool(one.fault) for one in outcomes)
    if as_json:
        print_json([_shown(one) for one in outcomes])
    else:
        rows = [
            (
                "FAIL" if one.fault else "pass",
                one.case.title,
                one.fault or ", ".join(one.decision.policies) or "nothing",
            )
            for one in outcomes
        ]
        print_rows(("", "case", "because"), rows, "There are no cases.")
        typer.echo(f"{len(outcomes) - failed} of {len(outcomes)} cases as expected", err=True)
    if failed or not outcomes:
        raise typer.Exit(1)


@app.command("explain")
def _explain(
    key: Annotated[str, typer.Option(help="The name of the key that asks.")],
    model: Annotated[str, typer.Option(help="The row of models that is to answer.")],
    config: ConfigOption = None,
    team: Annotated[str | None, typer.Option(help="The key's team; absent, as the database has it.")] = None,
    organisation: Annotated[str | None, typer.Option(help="Its organisation; absent, likewise.")] = None,
    route: Annotated[str, typer.Option(help="The route that is asked.")] = "",
    operation: Annotated[str, typer.Option(help="What is asked: chat, embeddings.")] = "chat",
    purpose: Annotated[str, typer.Option(help="What it is for.")] = "",
    user: Annotated[str, typer.Option(help="The end user it is for.")] = "",
    data: Several = "",
    masked: Annotated[str, typer.Option(help="What they found and masked.")] = "",
    checked: Annotated[str, typer.Option(help="What they looked for; absent, what was found.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say whether a call is permitted, and because of which policies.

    \b
    Examples:
      mainstay policy explain --key alice --model gpt --data personal
      mainstay policy explain --key alice --team legal --model gpt --purpose research --json
    """
    from mainstay.governance.policy import Asking

    loaded, policies = _opened(config)
    if model not in policies.models:
        raise StartError(f"There is no model '{model}'; there is {', '.join(sorted(policies.models))}.")
    team, organisation = _home(loaded, key, team, organisation)
    found, hidden = _set(data), _set(masked)
    looked = _set(checked) or found | hidden
    asking = Asking(key, team, organisation, route, operation, purpose, user, found, hidden, looked)
    _tell(policies, asking, model, as_json)


def _tell(policies: "Policies", asking: "Asking", model: str, as_json: bool) -> None:
    decision = policies.decide(asking, model)
    facts = policies.models[model].attributes()
    said = "permit" if decision.permitted else "deny"
    if as_json:
        asked = {
            name: sorted(value) if isinstance(value, frozenset) else value for name, value in asking._asdict().items()
        }
        print_json(
            {"decision": said, "policies": list(decision.policies), "asking": asked, "model": {"name": model, **facts}}
        )
        return
    typer.echo(f"{said}: {', '.join(decision.policies) or 'no policy permits it'}")
    places = {one.id: f"{one.path}:{one.line}" for one in policies.policies}
    for name in decision.policies:
        typer.echo(f"  policy  {name}  {places.get(name, '')}".rstrip())
    if decision.advice and not decision.permitted:
        typer.echo(f"  advice  {decision.advice}")
    told = {name: value for name, value in asking._asdict().items() if value}
    shown = [
        f"{name}={','.join(sorted(value)) if isinstance(value, frozenset) else value}" for name, value in told.items()
    ]
    typer.echo(f"  asking  {printable(' '.join(shown))}")
    typer.echo(f"  model   {model} {' '.join(f'{name}={value}' for name, value in facts.items())}")


def _opened(config: Path | None) -> "tuple[Loaded, Policies]":
    from mainstay.assembly.policies import open_policies

    loaded = load_config(find_config(config), os.environ)
    policies = open_policies(loaded)
    if policies is None:
        raise StartError("There are no policies: name their files under 'policies.files' in the configuration.")
    return loaded, policies


def _warnings(policies: "Policies") -> list[str]:
    from mainstay.governance.cedar import STARTER

    if any(one.permits for one in policies.policies):
        return []
    return [f"no policy permits anything, so every call is denied; to permit what none forbids, add: {STARTER}"]


def _beside(loaded: Loaded) -> list[Path]:
    """Return the files of cases in the folders where policies are.

    Raises:
        StartError: there is none.
    """
    folders = dict.fromkeys(Path(one.path).parent for one in loaded.policies)
    found = [file for folder in folders for pattern in ("*.test.yaml", "*.test.yml") for file in folder.glob(pattern)]
    if not found:
        raise StartError("There are no cases beside the policies: write some to a file that ends in .test.yaml.")
    return sorted(found)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{file}: cannot be read: {reason.lower()}") from None


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise StartError(f"The report cannot be written to '{file}': {(error.strerror or 'failed').lower()}.") from None


def _shown(one: "Outcome") -> dict[str, Any]:
    return {
        "case": one.case.title,
        "file": one.case.file,
        "passed": not one.fault,
        "decision": "permit" if one.decision.permitted else "deny",
        "policies": list(one.decision.policies),
        "fault": one.fault,
    }


def _set(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def _home(loaded: Loaded, key: str, team: str | None, organisation: str | None) -> tuple[str, str]:
    """Return the team and the organisation of a key: as given, or as the database has them, if there is one."""
    from mainstay.identity.roles import DEFAULT_ORGANISATION

    if team is None and (loaded.home / "run").is_dir():
        from mainstay.cli.database import opened
        from mainstay.identity.directory import Directory
        from mainstay.identity.service import Keys

        with opened(loaded) as engine:
            try:
                team = Keys(engine, loaded.home).find(key).team
                organisation = organisation or Directory(engine).homes().get(team)
            except NotFound:
                typer.echo(f"No key is called '{key}' here: taken as one without a team.", err=True)
    return team or "", organisation or DEFAULT_ORGANISATION
