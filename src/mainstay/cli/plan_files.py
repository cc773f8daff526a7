"""What ``mainstay plan`` reads: scenarios, models' own files, records of calls. Does not know what is made of them."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mainstay.cli.options import find_config
from mainstay.config import load_config
from mainstay.config.document import MAX_BYTES, read_yaml
from mainstay.config.explain import explain
from mainstay.config.problems import Problem, dotted, render
from mainstay.core.clock import wall_ms
from mainstay.core.config import LoadContext, parse_duration
from mainstay.core.errors import ConfigError
from mainstay.core.gguf import read_header
from mainstay.core.record import Record
from mainstay.core.sizes import ModelSize, from_config, from_gguf
from mainstay.planning.answer import deployment_of
from mainstay.planning.config import ModelPart, Scenario
from mainstay.planning.deployment import Deployment
from mainstay.planning.traffic import Traffic, from_records

__all__ = ["model_files", "read_model", "read_scenario", "read_traffic", "replica", "scenario_of"]

_PAGE = 5_000
_MOST_RECORDS = 2_000_000


def read_scenario(path: Path) -> tuple[Scenario, ModelSize | None, int | None]:
    """Return the scenario in ``path``, and of a model's own file its size and the bytes of its weights.

    Raises:
        ConfigError: the file cannot be read; the message lists every problem with its line.
    """
    text = _text(path)
    document = read_yaml(text)
    problems = [
        Problem(str(path), line, dotted(finding.place), finding.message, finding.hint)
        for line, finding in document.findings
    ]
    if problems:
        raise ConfigError(render(problems))
    scenario = scenario_of(document.value, str(path), document.lines)
    own = scenario.model.gguf or scenario.model.config
    size, file_bytes = read_model(Path(own)) if own else (None, None)
    return scenario, size, file_bytes


def scenario_of(
    value: Any, file: str = "the options", lines: Mapping[tuple[str | int, ...], int] | None = None
) -> Scenario:
    """Return ``value``, as it was written, as a scenario. Raises ConfigError with every problem."""

    def mounted(path: str) -> str:
        raise ValueError("a scenario holds no secrets")

    base = str(Path(file).resolve().parent)
    context = LoadContext(base=base, home=base, mounted=mounted)
    value = {} if value is None else value
    try:
        return Scenario.model_validate(value, context=context)
    except ValidationError as error:
        found = [
            Problem(file, _line(finding.place, lines or {}), dotted(finding.place), finding.message, finding.hint)
            for finding in explain(error, Scenario, value)
        ]
        raise ConfigError(render(found)) from None


def _line(place: tuple[str | int, ...], lines: Mapping[tuple[str | int, ...], int]) -> int:
    for end in range(len(place), -1, -1):
        if place[:end] in lines:
            return lines[place[:end]]
    return 0


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES // 1024**2} MiB: that is no scenario.")
        return data.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8.") from None


def read_model(path: Path) -> tuple[ModelSize, int | None]:
    """Return the size of the model in a ``config.json`` or a GGUF file, and the bytes of its weights where it says.

    Raises:
        ConfigError: it cannot be read, or is neither.
    """
    if path.suffix == ".gguf":
        try:
            with path.open("rb") as stream:
                header = read_header(stream)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from None
        return from_gguf(header, path.stem), header.weight_bytes
    try:
        values = json.loads(_text(path))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is no JSON object; give a model's config.json.")
    return from_config(values, path.parent.name or path.stem), None


def model_files(model: str) -> tuple[ModelSize | None, int | None]:
    """Return what a model's own file says, when ``model`` is one; nothing for a name."""
    return read_model(Path(model)) if model.endswith((".json", ".gguf")) else (None, None)


def replica(model: str, gpu: str, count: int, precision: str, kv: str, usable: float, context: int) -> Deployment:
    """Return the replica that options describe; with a ``count`` of 0 on the fewest devices it fits on.

    Raises:
        ConfigError: a name is not known, a file cannot be read, or it fits on no number of devices.
    """
    size, file_bytes = model_files(model)
    part = ModelPart(
        name=model[:200], gpu=gpu[:100], precision=precision, kv=kv, usable=usable, gpus_per_replica=count or "auto"
    )
    return deployment_of(part, context, size, file_bytes)


def read_traffic(config: Path | None, since: str, route: str | None) -> Traffic:
    """Return the shape of the calls that a configuration's records hold.

    Raises:
        ConfigError: ``since`` is no duration, there is no configuration, or too few calls.
    """
    try:
        start = wall_ms() - round(parse_duration(since) * 1000)
    except ValueError as error:
        raise ConfigError(f"--since: {error}.") from None
    return from_records(_records(config, start, route))


def _records(config: Path | None, start: int, route: str | None) -> Iterator[Record]:
    from mainstay.cli.database import load_newest, opened
    from mainstay.telemetry.service import list_records
    from mainstay.telemetry.store import RecordFilter

    loaded = load_config(find_config(config), os.environ)
    where = RecordFilter(since=start, route=route, outcome="ok")
    with opened(loaded) as engine:
        load_newest(engine, loaded)
        before: str | None = None
        for _ in range(_MOST_RECORDS // _PAGE):
            page = list_records(engine, where, limit=_PAGE, before=before)
            yield from page
            if len(page) < _PAGE:
                return
            before = page[-1].id
