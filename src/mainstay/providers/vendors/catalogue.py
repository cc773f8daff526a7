"""Where vendors' rows come from: those that come with Mainstay, one file each, and those a user adds.

A row is read when something asks for it; a configuration without vendors reads none.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mainstay.providers.vendors.row import VendorRow, placeholders

__all__ = ["address", "find_row", "missing_parameters", "packaged_names", "packaged_row"]

_ROWS = Path(__file__).with_name("rows")


@cache
def packaged_names() -> tuple[str, ...]:
    """Return the names of the rows that come with Mainstay, in order."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _ROWS.iterdir() if file.name.endswith(".toml")))


@cache
def packaged_row(name: str) -> VendorRow:
    """Return one of the rows that come with Mainstay. Raises KeyError."""
    if name not in packaged_names():
        raise KeyError(name)
    with (_ROWS / f"{name}.toml").open("rb") as file:
        return VendorRow.model_validate(tomllib.load(file))


def find_row(kind: str, own: Mapping[str, VendorRow]) -> VendorRow | None:
    """Return the row named ``kind``, a user's own before a packaged one, or None."""
    if kind in own:
        return own[kind]
    return packaged_row(kind) if kind in packaged_names() else None


def address(row: VendorRow, given: Mapping[str, str], base_url: str | None = None) -> tuple[str, str | None]:
    """Return the base URL and the path (None for the wire's own) with every parameter but ``{model}`` filled in.

    ``given`` are a provider's values, ``base_url`` stands in for the row's.
    """
    values = {**row.parameters, **given}
    url, path = base_url or row.base_url, row.path
    for name in row.parameters:
        url = url.replace(f"{{{name}}}", values[name])
        path = path.replace(f"{{{name}}}", values[name]) if path is not None else None
    return url, path


def missing_parameters(row: VendorRow, given: Mapping[str, str], base_url: str | None = None) -> list[str]:
    """Return the parameters that have no value and are needed for the address."""
    needed = [*placeholders(base_url or row.base_url), *placeholders(row.path or "")]
    needed += [name for path in row.paths.values() for name in placeholders(path)]
    values = {**row.parameters, **given}
    return [name for name in row.parameters if name in needed and not values[name]]
