"""Average nets that were trained side by side: ``python -m recipes.grounding.soup OUT.pt NET.pt NET.pt ...``."""

import argparse
from pathlib import Path

import torch

__all__: list[str] = []


def main() -> None:
    """Write the mean of nets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("nets", type=Path, nargs="+")
    given = parser.parse_args()
    states = [torch.load(path, weights_only=True) for path in given.nets]
    torch.save({name: sum(state[name] for state in states) / len(states) for name in states[0]}, given.out)


if __name__ == "__main__":
    main()
