"""Writes the generated pages of the docs from the source: settings, errors, metrics, commands, the line, its picture.

Run ``python docs/generate.py`` after a change of any of them; a test compares the files with what it would write.
"""

import re
import sys
from pathlib import Path
from typing import Any

import typer.main
from line_picture import Place, draw
from settings import config_page, slug
from vendors import vendors_page

from mainstay.cli.main import build
from mainstay.core import errors
from mainstay.line import line
from mainstay.telemetry.families import FAMILIES

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py from the source; edit that, not this. -->\n\n"

# Errors.

_ERRORS_HEAD = """# Errors

Every error leaves in the envelope that the official SDKs parse:

```json
{"error": {"message": "…", "type": "…", "param": null, "code": "…"}}
```

`code` is stable: match on it. `message` is one sentence that says what to do. `param` is the path of the field at
fault, such as `messages[0].content`. Answers of status 429 and 503 carry `retry-after`, in seconds.

A route with more than one target, or with a fallback, asks its next model after the errors marked "next model".
"""
_GROUPS = {
    "CallerError": ("The request", "The caller can put it right."),
    "UpstreamError": ("A model's server", "Mainstay asked; the model's server, called the upstream, failed."),
    "MainstayError": ("Mainstay itself", ""),
    "SetupError": ("Commands", "A command cannot go on. The message goes to standard error."),
}
_ADDED = {
    "UpstreamRefused": "Status, message, `param` and `code` are the upstream's own where it gave them; keys, hosts and "
    "account ids are taken out of its words.",
    "UpstreamFailed": "When the upstream says that it is overloaded or out of time, the status is 503 or 504.",
}
#: Codes that an error of a class carries in place of the class's own.
_NARROWER = {
    "not_grounded": (
        "OutputInvalid",
        502,
        "No source of the route supports what the model said, asked again too (`routes.X.knowledge.verify`).",
    ),
    "review_denied": ("Forbidden", 403, "A person has denied the request; the message has the reason."),
    "own_review": ("Forbidden", 403, "A reviewer decides on a request of their own key: another reviewer must."),
    "too_many_reviews": (
        "RateLimited",
        429,
        "As many requests of the key wait for a person as may: await decisions, or raise `governance.reviews.open`.",
    ),
    "too_large_to_review": (
        "BodyTooLarge",
        413,
        "A person would have to read it, and it is larger than `governance.reviews.max_size`: send less.",
    ),
    "review_closed": ("InvalidRequest", 409, "The review is decided or expired: nothing can be changed in it."),
    "model_budget_exceeded": (
        "BudgetExceeded",
        402,
        "As `budget_exceeded`, for a budget of one model or provider: no other of the route is left.",
    ),
    "price_unknown": (
        "BudgetExceeded",
        402,
        "Nobody knows what the model costs, a budget counts the call, and `cost.unknown_price` is `refuse`: set "
        "`models.NAME.price`.",
    ),
    "model_rate_limited": (
        "RateLimited",
        429,
        "As `rate_limit_exceeded`, for a limit of one model or provider: no other of the route is left.",
    ),
    "ledger_unavailable": (
        "Unavailable",
        503,
        "A budget or limit counts the call, and the ledger cannot be asked now: it is being started again. "
        "`cost.on_outage: allow` lets such calls through.",
    ),
    "loop_detected": ("InvalidRequest", 508, "A provider's `base_url` leads back to this gateway: correct it."),
    "not_cached": (
        "InvalidRequest",
        504,
        "`cache-control: only-if-cached`, and no kept answer fits: leave it out to have a model asked.",
    ),
    "expectation_failed": ("InvalidRequest", 417, "The `Expect` header asks for something other than `100-continue`."),
    "origin_not_allowed": (
        "Forbidden",
        403,
        "A web page called `/mcp`: add its address to `mcp.origins`. Or another site's page sent a request to `/api` "
        "with a browser's cookie: behind a proxy, set `identity.public_url`.",
    ),
    "permission_denied": ("Forbidden", 403, "No [role](../access.md#roles) of yours allows it: ask an owner for one."),
    "domain_not_allowed": (
        "Forbidden",
        403,
        "The email address is not verified, or its domain not among `identity.oidc.allowed_domains`.",
    ),
    "person_disabled": ("InvalidRequest", 403, "The person was disabled: an admin enables them again."),
    "sign_in_failed": ("Unauthenticated", 401, "The provider's answer is not to be believed: sign in again."),
    "own_account": ("InvalidRequest", 400, "Nobody disables themselves: another admin does."),
    "name_taken": ("InvalidRequest", 409, "An organisation or team has the name: choose another."),
    "response_not_found": ("NotFound", 404, "Never kept, expired, deleted or another team's: begin anew."),
    "item_not_found": ("InvalidRequest", 404, "An `item_reference` to what this key cannot see: send the item itself."),
    "file_not_found": ("NotFound", 404, "Never there, expired, deleted or another team's: upload it again."),
    "file_in_use": ("InvalidRequest", 409, "A batch that is not finished reads the file: cancel the batch first."),
    "storage_limit_exceeded": ("BodyTooLarge", 413, "The team's files take `batches.max_storage`: delete some."),
    "too_many_batches": ("InvalidRequest", 429, "The team has `batches.max_open` unfinished batches: wait for one."),
    "batch_not_cancellable": ("InvalidRequest", 409, "The batch is finished, or all but: there is nothing to cancel."),
    "upstream_not_found": ("UpstreamFailed", 502, "The upstream knows no such model or path: the operator must look."),
    "upstream_quota": ("UpstreamCredential", 502, "The upstream's account is out of credit: the operator must look."),
    "upstream_conflict": ("UpstreamFailed", 502, "The upstream was busy with a conflicting request; try again."),
    "upstream_request_timeout": ("UpstreamFailed", 502, "The upstream gave up waiting for the request; try again."),
    "overloaded": ("Unavailable", 503, "Too many calls wait for the model; try again after `retry-after`."),
    "content_policy_violation": ("ContentFiltered", 400, "The same, where the upstream uses this name for it."),
}


def errors_page() -> str:
    """Every error with its status, code and meaning, by who can put it right."""
    grouped: dict[str, list[type[errors.MainstayError]]] = {group: [] for group in _GROUPS}
    for name in errors.__all__:
        cls = getattr(errors, name)
        if name not in _GROUPS:
            grouped[next(base.__name__ for base in cls.__mro__ if base.__name__ in _GROUPS)].append(cls)
    table, out = ["\n| code | status | next model |\n|---|---|---|\n"], []
    for group, (title, intro) in _GROUPS.items():
        out.append(f"\n## {title}\n" + (f"\n{intro}\n" if intro else ""))
        for cls in sorted(grouped[group], key=lambda cls: cls.status):
            entries = [(cls.code, cls.status, _paragraph(cls))]
            entries += [(code, at, words) for code, (parent, at, words) in _NARROWER.items() if parent == cls.__name__]
            for code, status, meaning in entries:
                out.append(f"\n### {code}\n\n{meaning}\n")
                if code == cls.code and cls.__name__ in _ADDED:
                    out.append(f"{_ADDED[cls.__name__]}\n")
                if issubclass(cls, errors.SetupError):
                    out.append(f"\nExit code {cls.exit_code}. Class `{cls.__name__}`.\n")
                    continue
                onward = cls.retryable or cls is errors.Unsupported
                out.append(f"\nHTTP {status}, type `{cls.type}`. Class `{cls.__name__}`.\n")
                table.append(f"| [`{code}`](#{slug(code)}) | {status} | {'yes' if onward else ''} |\n")
    return "".join([NOTE, _ERRORS_HEAD, *table, *out])


def _paragraph(thing: object) -> str:
    first = (thing.__doc__ or "").strip().split("\n\n", maxsplit=1)[0]
    return " ".join(first.replace("``", "`").split())


# Metrics.


_METRICS_HEAD = """# Metrics

`GET /metrics` answers in Prometheus' text format, for all workers together, whichever of them takes the request. It
asks for no key.

| metric | kind |
|---|---|
"""


def metrics_page() -> str:
    """Every metric with its kind, labels and buckets."""
    out = [NOTE, _METRICS_HEAD]
    out += [f"| [`{family.name}`](#{slug(family.name)}) | {family.kind} |\n" for family in FAMILIES.values()]
    for family in FAMILIES.values():
        out.append(f"\n## {family.name}\n\n{family.help}\n\n- Kind: {family.kind}\n")
        if family.labels:
            out.append(f"- Labels: {', '.join(f'`{label}`' for label in family.labels)}\n")
        if family.buckets:
            out.append(f"- Buckets: {', '.join(f'{bound:.10g}' for bound in family.buckets)}\n")
    return "".join(out)


# Commands.


_COMMANDS_HEAD = """# Command line

`mainstay COMMAND --help` says the same in the terminal. Exit codes: 0 done, 1 failed, 2 wrong usage or wrong
configuration. `--json` prints what a script may read.
"""


def commands_page() -> str:
    """The help of every command."""
    out = [NOTE, _COMMANDS_HEAD]

    def walk(command: Any, words: tuple[str, ...]) -> None:
        if len(words) > 1:
            out.append(_command(command, words))
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                walk(child, (*words, name))

    walk(typer.main.get_command(build()), ("mainstay",))
    return "".join(out)


def _command(command: Any, words: tuple[str, ...]) -> str:
    text = command.help or ""
    if command.callback is not None:
        text = command.callback.__doc__ or text
    prose, _, examples = text.replace("\b\n", "").partition("Examples:")
    shown = [example.strip() for example in examples.splitlines() if example.strip()]
    inner = [f"[`{name}`](#{slug(' '.join((*words, name)))})" for name in getattr(command, "commands", {})]
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    needed = [f"{param.opts[0]} {_value(param)}" for param in options if param.required]
    usage = [*words, *(_value(param) if param.required else f"[{_value(param)}]" for param in arguments), *needed]
    usage += ["[OPTIONS]"] if len(options) > len(needed) else []
    usage += ["COMMAND"] if inner and not command.invoke_without_command else []
    prose = "\n\n".join(" ".join(part.split()) for part in prose.strip().split("\n\n"))
    out = [f"\n## {' '.join(words)}\n\n{prose}\n\n```text\n{' '.join(usage)}\n```\n"]
    if inner:
        out.append(f"\nCommands: {', '.join(inner)}.\n")
    if arguments or options:
        out.append("\n| option | meaning |\n|---|---|\n")
        out += [f"| {_option(param)} | {_meaning(param)} |\n" for param in (*arguments, *options)]
    if shown:
        out.append("\n```bash\n" + "\n".join(shown) + "\n```\n")
    return "".join(out)


def _value(param: Any) -> str:
    return str(param.metavar or {"config": "FILE"}.get(param.name, param.name.upper()))


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{_value(param)}`"
    *others, last = sorted(param.opts, key=len)
    return ", ".join(f"`{name}`" for name in (*others, last if param.is_flag else f"{last} {_value(param)}"))


def _meaning(param: Any) -> str:
    text = param.help or ""
    text += " Required." if param.required else ""
    text += f" Environment: `{param.envvar}`." if param.envvar else ""
    default = param.default
    if default not in (None, "", False, True) and not callable(default):
        text += f" Default: `{default}`."
    return text.strip().replace("|", "\\|")


# The line.

_LINE_HEAD = """# The line

Every call walks these stages in this order: going in from the first to the last, coming out from the last to the first.
A route's line holds only the stages that the route uses. Those marked *planned* have their place in the order and no
code yet.

![The line](../line.svg)
"""
#: What a stage does in this version, in a few words; without an entry its class says it.
_TODAY = {
    "telemetry.Observe": "opens the record, sees refusals too, settles last.",
    "routing.Route": "picks a model, goes on to the next while none has answered.",
    "providers.CallProvider": "asks the model, in its own wire.",
}


def line_page() -> str:
    """Every stage of the plan, with what those that stand do today."""
    built = _built()
    out = [NOTE, _LINE_HEAD]
    for name, meaning in _plan():
        out.append(f"\n## {name}\n\n")
        if name in built:
            out.append(f"*Works today:* {_TODAY.get(name) or _paragraph(built[name])} The plan: {meaning}\n")
        else:
            out.append(f"*Planned:* {meaning}\n")
    return "".join(out)


def line_picture() -> str:
    """The line as an SVG."""
    built = _built()
    places = []
    for name, _ in _plan():
        room, stage = name.split(".")
        today = (_TODAY.get(name) or _paragraph(built[name])).rstrip(".") if name in built else ""
        places.append(Place(room, stage, today, name in built))
    return draw(
        places, ["OpenAI SDK", "curl", "any HTTP client"], ["OpenAI-compatible", "Anthropic", "on this machine"]
    )


def _plan() -> list[tuple[str, str]]:
    return re.findall(r"^\d+\. ``([A-Za-z.]+)``: (.+)$", line.__doc__ or "", re.MULTILINE)


def _built() -> dict[str, type]:
    return {f"{stage.__module__.split('.')[1]}.{stage.__name__}": stage for stage in line.LINE}


PAGES = {
    "reference/config.md": config_page,
    "reference/errors.md": errors_page,
    "reference/metrics.md": metrics_page,
    "reference/commands.md": commands_page,
    "reference/line.md": line_page,
    "reference/vendors.md": vendors_page,
    "line.svg": line_picture,
}


def main() -> int:
    """Write every page; with ``--check`` only say which differ, and fail if any does."""
    stale = []
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
    if "--check" in sys.argv and stale:
        sys.stderr.write(f"stale: {', '.join(stale)}; run python docs/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
