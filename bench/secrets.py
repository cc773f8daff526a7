"""``python -m bench.secrets``: how many secrets are found, how much of plain code is taken for one, and what it costs.

True lines are filled from the rows' examples, as they are and as others write them (JSON, YAML, a shell, a log, a
sentence); false lines from the rows' counter-examples and from look-alikes of all sorts. Seeds are fixed. Benign code
is what this interpreter has installed, whole files in a fixed order. Peers read the same lines: ``--detect-secrets`` is
a Python that has that package, ``--gitleaks`` its program; each is left out where it is not named.
"""

import argparse
import hashlib
import json
import math
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mainstay.guardrails.secrets import KeyBlocks, SecretScanner, all_rules
from mainstay.guardrails.secrets.samples import fill

__all__ = ["benign", "false_lines", "main", "true_lines"]

#: Texts of each example, and lines of code.
_SEEDS, _LINES = 20, 20_000
#: How others write what the examples hold; for tokens that are known by their form.
_AROUND = (
    "{}",
    '{{"value": "{}", "n": 1}}',
    "- item: {}",
    "export X='{}'",
    "2026-11-21 10:00:00 INFO sent {} in 3 ms",
    "I think the one that I use is {}, is that right?",
    "GET /v1/x?v={}&n=1",
    "`{}`",
)
_NAMES = "request response timeout default cluster handler session worker provider adapter context stream"
_WORDS = _NAMES.split()

_DETECT_SECRETS = """
import json, sys
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings
with default_settings():
    print(json.dumps([secret.line_number for secret in scan_file(sys.argv[1])]))
"""


def true_lines(seeds: int = _SEEDS) -> Iterator[tuple[str, str]]:
    """Yield lines that hold a secret, each with its rule."""
    for rule in all_rules():
        for seed in range(seeds):
            chance = random.Random(f"true {rule.id} {seed}")
            for sample in rule.hits:
                line = fill(sample, chance)
                whole = not rule.value and not rule.filter and " " not in line and "=" not in line
                yield rule.id, _AROUND[seed % len(_AROUND)].format(line) if whole else line


def false_lines(seeds: int = _SEEDS) -> Iterator[tuple[str, str]]:
    """Yield lines that hold what looks like a secret and is none, each with what it is like."""
    for rule in all_rules():
        for seed in range(seeds):
            chance = random.Random(f"false {rule.id} {seed}")
            for sample in rule.misses:
                yield rule.id, fill(sample, chance)
    for seed in range(seeds * 20):
        chance = random.Random(f"alike {seed}")
        data = chance.randbytes(16)
        name = "".join(word.title() for word in chance.choices(_WORDS, k=4))
        yield "uuid", f"id = '{uuid.UUID(bytes=data)}'"
        yield "hash", f"sha256:{hashlib.sha256(data).hexdigest()}"
        yield "hash", f'"integrity": "md5-{hashlib.md5(data).hexdigest()}"'
        yield "commit", f"revision = '{hashlib.sha1(data).hexdigest()}'"
        yield "name", f"token_{name} = self.get{name}Token({name}Secret)"
        yield "name", f'secret_name = "{"-".join(chance.choices(_WORDS, k=5))}"'
        yield "variable", f"API_KEY=${{{name.upper()}_KEY}}"
        yield "placeholder", f'password = "<your-{chance.choice(_WORDS)}-password>"'
        yield "number", f"token_count = {chance.randrange(10**18)}"
        yield "page", f"https://docs.example.org/{name}/{hashlib.sha1(data).hexdigest()[:12]}.html"
        yield "style", f".{name}_{hashlib.md5(data).hexdigest()[:8]} {{ color: #{data.hex()[:6]} }}"


def benign(lines: int = _LINES) -> list[str]:
    """Return lines of code that is installed here: whole files, in an order that depends on their names alone."""
    paths = sysconfig.get_paths()
    files = {path for place in ("stdlib", "purelib") for path in Path(paths[place]).rglob("*.py")}
    ordered = sorted(files, key=lambda path: hashlib.sha256("/".join(path.parts[-3:]).encode()).digest())
    found: list[str] = []
    for path in ordered:
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError):
            continue
        found += [line for line in text.split("\n") if line.strip()]
        if len(found) >= lines:
            break
    return found[:lines]


def _ours(lines: Sequence[str]) -> list[bool]:
    scanners = (SecretScanner(), KeyBlocks())
    return [any(scanner.scan(line) for scanner in scanners) for line in lines]


def _detect_secrets(python: str, file: Path) -> set[int]:
    done = subprocess.run([python, "-c", _DETECT_SECRETS, str(file)], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def _gitleaks(program: str, file: Path) -> set[int]:
    report = file.with_suffix(".json")
    command = [program, "dir", str(file), "--no-banner", "--exit-code", "0", "--report-format", "json"]
    subprocess.run([*command, "--report-path", str(report)], capture_output=True, check=True)
    return {row["StartLine"] for row in json.loads(report.read_text())}


def _peer(scan: Callable[[str, Path], set[int]], program: str) -> Callable[[Sequence[str]], list[bool]]:
    """Return how a peer that reads files reads lines: as a file of code, in which it names the lines."""

    def read(lines: Sequence[str]) -> list[bool]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "lines.txt")
            file.write_text("\n".join(line.replace("\n", " ").replace("\r", " ") for line in lines))
            found = scan(program, file)
        return [number in found for number in range(1, len(lines) + 1)]

    return read


def _cost(text: str) -> float:
    scanner = SecretScanner()
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(20):
            scanner.scan(text)
        best = min(best, (time.perf_counter() - start) / 20)
    return best * 1e6


def _wilson(count: int, of: int) -> tuple[float, float]:
    """Return the interval of 95% of a share."""
    z, share = 1.96, count / of
    middle, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print for us and each peer: recall, false lines flagged, false hits in code, time; and what we missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.secrets", description=__doc__, allow_abbrev=False)
    parser.add_argument("--detect-secrets", metavar="PYTHON", help="a Python with the package detect-secrets")
    parser.add_argument("--gitleaks", metavar="PROGRAM", help="the program gitleaks")
    parser.add_argument("--lines", type=int, default=_LINES, help="lines of benign code")
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="texts of each example")
    asked = parser.parse_args(arguments)
    scanners: dict[str, Callable[[Sequence[str]], list[bool]]] = {"mainstay": _ours}
    if asked.detect_secrets:
        scanners["detect-secrets"] = _peer(_detect_secrets, asked.detect_secrets)
    if asked.gitleaks:
        scanners["gitleaks"] = _peer(_gitleaks, asked.gitleaks)
    true, false, code = list(true_lines(asked.seeds)), list(false_lines(asked.seeds)), benign(asked.lines)
    print(f"{len(true)} true lines of {len(all_rules())} rules, {len(false)} false, {len(code)} of code")
    for name, scan in scanners.items():
        start = time.perf_counter()
        hit, wrong, noise = (scan([line for _, line in true]), scan([line for _, line in false]), scan(code))
        took = time.perf_counter() - start
        low, high = _wilson(sum(hit), len(hit))
        print(f"{name}: recall {sum(hit) / len(hit):.4f} ({low:.4f} to {high:.4f}), look-alikes flagged "
              f"{sum(wrong) / len(wrong):.4f}, false hits {sum(noise) / len(noise) * 1e4:.2f} in 10,000 lines of code, "
              f"{took:.1f} s")  # fmt: skip
        missed = sorted({rule for (rule, _), found in zip(true, hit, strict=True) if not found})
        alike = sorted({rule for (rule, _), found in zip(false, wrong, strict=True) if found})
        print(f"  missed of {len(missed)} rules: {', '.join(missed[:12])}")
        print(f"  flagged alike {len(alike)}: {', '.join(alike[:12])}")
    prose = ("We moved the archive to the new building last spring; nobody has found the letters since. " * 12)[:1024]
    source = "\n".join(code)[:1024]
    print(f"1 KB of prose {_cost(prose):.0f} µs, of code {_cost(source):.0f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
