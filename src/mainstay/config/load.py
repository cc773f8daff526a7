"""From a file, or a folder of files, to a checked configuration: read, merge, expand, validate, cross-check.

The one place where configuration meets the disk and the environment. Every problem is found before any is
reported, each with its file and line; a value that came from the environment or a mounted secret is in none of them.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mainstay.config.document import MAX_BYTES, read_yaml
from mainstay.config.expand import expand
from mainstay.config.explain import explain
from mainstay.config.policies import read_policies
from mainstay.config.problems import Finding, Place, Problem, dotted, render
from mainstay.config.references import cross_check, cross_warn
from mainstay.config.schema import Config
from mainstay.core.config import LoadContext
from mainstay.core.errors import ConfigError
from mainstay.engines.config import LlamaCppConfig
from mainstay.governance.cedar import Policy

__all__ = ["Checked", "Loaded", "check", "config_home", "load_config", "sources"]

_MAX_SECRET = 64 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was found right.

    ``hash`` identifies what was written, references unexpanded and order aside: 12 hex digits. ``base`` is the folder
    that relative paths are relative to, ``home`` the folder Mainstay writes to; both absolute. ``source`` are the files
    read, ``mounted`` the secret files among what they refer to, and the policies; ``policies`` is what these say.
    """

    config: Config
    hash: str
    base: Path
    home: Path
    source: tuple[Path, ...]
    mounted: tuple[Path, ...] = ()
    warnings: tuple[Problem, ...] = ()
    policies: tuple[Policy, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking found: ``loaded`` is None exactly when there are ``problems``; ``mounted`` are files beside it."""

    problems: tuple[Problem, ...]
    loaded: Loaded | None
    mounted: tuple[Path, ...] = ()

    def result(self) -> Loaded:
        """Return what was loaded.

        Raises:
            ConfigError: something is wrong; the message has one line per problem.
        """
        if self.loaded is None:
            raise ConfigError(render(self.problems))
        return self.loaded


def load_config(path: str | Path, env: Mapping[str, str] | None = None) -> Loaded:
    """Load the configuration at ``path``, a YAML file or a folder of them; ``env`` is by default the process's own.

    Raises:
        ConfigError: something is wrong; the message has one line per problem.
    """
    return check(path, env).result()


def check(path: str | Path, env: Mapping[str, str] | None = None) -> Checked:
    """Find every problem of the configuration at ``path``, or load it when there is none."""
    env = os.environ if env is None else env
    path = Path(path)
    files = _Files()
    try:
        source = sources(path)
        for file in source:
            files.add(file)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        return Checked((Problem(str(error.filename or path), 0, "", f"cannot be read: {reason}"),), None)
    if not files.complete:
        return Checked(files.problems(()), None)
    base = Path(os.path.abspath(path if path.is_dir() else path.parent))
    home = config_home(path, env)
    mounted: list[Path] = []
    context = LoadContext(str(base), str(home), lambda name: _read_secret(base / name, mounted))

    document, findings = expand(files.document, env)
    config, explained = None, []
    try:
        # Every section is there, so that the defaults of each see the context too.
        config = Config.model_validate({section: {} for section in Config.model_fields} | document, context=context)
    except ValidationError as error:
        explained = list(explain(error, Config, files.document))
    crossed = list(cross_check(document, files.document))
    # Of a provider whose kind is unknown nothing else can be said.
    unknown = {finding.place[:2] for finding in crossed if finding.place[::2] == ("providers", "kind")}
    findings += [finding for finding in explained if finding.place[:2] not in unknown] + crossed
    problems = files.problems(_first_of_each_place(findings))
    if config is None or problems:
        return Checked(problems, None, tuple(mounted))
    policies = read_policies(config.policies, base)
    mounted += policies.watched
    problems = (*files.problems(policies.findings), *policies.problems)
    if problems:
        return Checked(problems, None, tuple(mounted))
    warnings = files.problems([*cross_warn(document), *_missing_files(config)])
    written = files.document | ({"": [one.text for one in policies.texts]} if policies.texts else {})
    loaded = Loaded(config, _hash(written), base, home, source, tuple(mounted), warnings, policies.policies)
    return Checked((), loaded, loaded.mounted)


def config_home(path: str | Path, env: Mapping[str, str] | None = None) -> Path:
    """Return the folder Mainstay writes to, absolute: ``MAINSTAY_HOME``, or ``var`` beside the configuration."""
    env = os.environ if env is None else env
    path = Path(path)
    home = env.get("MAINSTAY_HOME") or (path if path.is_dir() else path.parent) / "var"
    return Path(os.path.abspath(home))


def sources(path: Path) -> tuple[Path, ...]:
    """Return the files that make up the configuration at ``path``: itself, or a folder's YAML files by name.

    Raises:
        OSError: it is not there, is neither a file nor a folder, or holds no YAML file.
    """
    if not path.is_dir():
        return (path,)
    names = sorted(name for name in os.listdir(path) if name.endswith((".yaml", ".yml")) and name[0] != ".")
    if not names:
        raise FileNotFoundError(0, "the folder has no .yaml file", str(path))
    return tuple(path / name for name in names)


@dataclass(slots=True)
class _Files:
    """The files of one configuration, merged by section."""

    document: dict[str, Any] = field(default_factory=dict)
    complete: bool = True
    _names: list[str] = field(default_factory=list)
    _spots: dict[Place, tuple[int, int]] = field(default_factory=dict)
    _found: list[tuple[int, int, Finding]] = field(default_factory=list)

    def add(self, file: Path) -> None:
        """Read ``file`` and merge it in. Raises OSError."""
        number = len(self._names)
        self._names.append(str(file))
        text = _read_text(file)
        if isinstance(text, Finding):
            self._found.append((number, 0, text))
            self.complete = False
            return
        read = read_yaml(text)
        self._found += [(number, line, finding) for line, finding in read.findings]
        self.complete = self.complete and read.complete
        if read.value is not None and not isinstance(read.value, dict):
            self._found.append(
                (number, 1, Finding((), f"must be a mapping of sections: {', '.join(Config.model_fields)}"))
            )
            self.complete = False
            return
        left = {place for section, value in (read.value or {}).items() for place in self._merge(section, value)}
        for place in left:
            first, line = self._spot(place)
            message = f"is also given in {self._names[first]}:{line}; keep one"
            self._found.append((number, read.lines.get(place, 1), Finding(place, message)))
        for place, line in read.lines.items():
            if place[:1] not in left and place[:2] not in left:
                self._spots.setdefault(place, (number, line))

    def _merge(self, section: str, value: Any) -> Iterator[Place]:
        """Add a section to what is there; yield the places that were taken and so are left out."""
        if value is None and section in Config.model_fields:
            value = {}  # A heading whose entries are all commented out.
        if section not in self.document:
            # Copied, because an alias may let two sections share one mapping.
            self.document[section] = dict(value) if isinstance(value, dict) else value
            return
        into = self.document[section]
        if not isinstance(into, dict) or not isinstance(value, dict):
            yield (section,)
            return
        for key, inner in value.items():
            if key in into:
                yield (section, key)
            else:
                into[key] = inner

    def problems(self, findings: Iterable[Finding]) -> tuple[Problem, ...]:
        """Return ``findings``, and those made while reading, as problems in the order of the files."""
        found = [*self._found, *((*self._spot(finding.place), finding) for finding in findings)]
        found.sort(key=lambda one: one[:2])
        return tuple(
            Problem(self._names[number], line, dotted(finding.place), finding.message, finding.hint)
            for number, line, finding in found
        )

    def _spot(self, place: Place) -> tuple[int, int]:
        """Return file and line of the nearest thing that was written at or above ``place``."""
        while place and place not in self._spots:
            place = place[:-1]
        return self._spots.get(place, (0, 1)) if place else (0, 1)


def _first_of_each_place(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Keep one finding per place: what a reference that leads nowhere breaks further on is no news."""
    seen: set[Place] = set()
    for finding in findings:
        if finding.place in seen:
            continue
        seen.add(finding.place)
        yield finding


def _read_text(file: Path) -> str | Finding:
    """Return the text of ``file``, or why it is no configuration. Raises OSError."""
    file.stat()  # What is not there is said to be so; the next line would not tell it from a device.
    if not file.is_file():
        return Finding((), "is not a file")
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return Finding((), f"is larger than {MAX_BYTES // 1024**2} MiB; this is no configuration")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Finding((), f"is not UTF-8 text (line {line}); save it as UTF-8")


def _read_secret(file: Path, mounted: list[Path]) -> str:
    mounted.append(file)
    try:
        file.stat()
        if not file.is_file():
            raise ValueError("names a secret file that is not a file")
        with file.open("rb") as opened:
            data = opened.read(_MAX_SECRET + 1)
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        raise ValueError(f"names a secret file that cannot be read: {reason}") from None
    if len(data) > _MAX_SECRET:
        raise ValueError(f"names a secret file larger than {_MAX_SECRET // 1024} KiB")
    return data.decode("utf-8", "replace").rstrip("\r\n")


def _missing_files(config: Config) -> Iterable[Finding]:
    for name, provider in config.providers.items():
        if (
            isinstance(provider, LlamaCppConfig)
            and os.path.isabs(provider.model)
            and not os.path.isfile(provider.model)
        ):
            yield Finding(("providers", name, "model"), "names a model file that is not there yet")


def _hash(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
