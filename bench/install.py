"""Fetches what a peer needs into bench/.peers/, each thing apart from the system and from the others.

pip and npm packages go into a directory of their own; tools of the system's package manager are unpacked there, not
installed. Every command has a time limit.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.processes import ROOT

__all__ = ["PEERS", "Unavailable", "npm_package", "pip_package", "pip_version", "system_tool"]

PEERS = ROOT / "bench" / ".peers"
_SECONDS = 600.0


class Unavailable(Exception):
    """A peer cannot take part; the text is the reason, fit for the table."""


def pip_package(name: str, requirement: str, module: str, *, install: bool) -> Path:
    """The Python of a virtual environment that holds the requirement; `module` is what must be importable in it.

    Raises Unavailable when it is missing and may not or cannot be installed.
    """
    home = PEERS / name
    python = home / "bin" / "python"
    probe = [str(python), "-c", f"import importlib.util, sys; sys.exit(not importlib.util.find_spec('{module}'))"]
    if python.exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return python
    _allowed(requirement, install)
    _run([sys.executable, "-m", "venv", str(home)], f"no virtual environment for {requirement}")
    _run([str(python), "-m", "pip", "install", "--quiet", requirement], f"pip could not install {requirement}")
    return python


def pip_version(python: Path, distribution: str) -> str:
    """The version of a distribution in that Python's environment."""
    program = f"import importlib.metadata as m; print(m.version('{distribution}'))"
    done = subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def npm_package(name: str, package: str, script: str, *, install: bool, pins: Mapping[str, str] | None = None) -> Path:
    """The script inside an npm package, which stands in a directory of its own; `pins` hold its dependencies back.

    Raises Unavailable when node or the package is missing and cannot be installed.
    """
    home = PEERS / name
    entry = home / "node_modules" / package / script
    if shutil.which("node") is None:
        raise Unavailable("node is not installed")
    if not entry.exists():
        if shutil.which("npm") is None:
            raise Unavailable("npm is not installed")
        _allowed(package, install)
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text(json.dumps({"private": True, "overrides": dict(pins or {})}))
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(home), package]
        _run(command, f"npm could not install {package}")
    if not entry.exists():
        raise Unavailable(f"{package} has no {script}")
    return entry


def system_tool(tool: str, packages: Sequence[str], *, install: bool) -> str:
    """The path of a tool: the system's own, or one unpacked from the first Debian package that has it.

    Raises Unavailable when neither can be had.
    """
    home = PEERS / tool
    places = (shutil.which(tool), shutil.which(tool, path=f"/usr/sbin:{home}/usr/sbin:{home}/usr/bin"))
    for place in places:
        if place is not None:
            return place
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Unavailable(f"{tool} is not installed")
    _allowed(tool, install)
    home.mkdir(parents=True, exist_ok=True)
    for package in packages:
        fetched = subprocess.run(
            ["apt-get", "download", package], cwd=home, capture_output=True, timeout=_SECONDS, check=False
        )
        if fetched.returncode == 0:
            for archive in home.glob(f"{package}_*.deb"):
                _run(["dpkg", "-x", str(archive), str(home)], f"{package} could not be unpacked")
            found = shutil.which(tool, path=f"{home}/usr/sbin:{home}/usr/bin")
            if found is not None:
                return found
    raise Unavailable(f"{tool} is not installed, and the system's packages do not offer it")


def _allowed(what: str, install: bool) -> None:
    if not install:
        raise Unavailable(f"{what} is not installed, and --no-install was given")


def _run(command: Sequence[str], failure: str) -> None:
    try:
        done = subprocess.run(list(command), capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{failure} within {_SECONDS:.0f} s") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise Unavailable(f"{failure}: {last[0].replace(str(ROOT), '.')[:160]}")
