"""``python -m bench.catalogue``: every model that both sources of prices have, compared."""

from collections import Counter

from mainstay.cost.catalogue import Catalogue, packed

__all__ = ["main"]


def main() -> int:
    """Print how many models there are, how many both sources have, and where these are more than a hundredth apart."""
    contents = Catalogue.open().contents()
    models = [(seller, merged) for seller, found in contents.models.items() for merged in found.values()]
    compared = [(seller, merged) for seller, merged in models if merged.is_compared]
    disputed = [(seller, merged) for seller, merged in compared if merged.disputed]
    kinds = Counter(one.kind for _, merged in disputed for one in merged.disputed)
    sellers = Counter(seller for seller, _ in disputed)
    print(f"catalogue of {contents.version}, {len(packed(contents)) // 1000} kB packed, from")
    for source in contents.sources:
        print(f"  {source.name} ({source.version or source.address}), {source.licence}")
    print(f"{len(models)} models of {len(contents.models)} sellers; {len(compared)} in both sources")
    print(f"{len(disputed)} disputed ({len(disputed) / len(compared):.0%} of those): more than 1 % apart")
    print("  by seller: " + ", ".join(f"{seller} {count}" for seller, count in sellers.most_common()))
    print("  rates apart, by kind: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    print("Each is listed by 'mainstay prices disagreements'.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
