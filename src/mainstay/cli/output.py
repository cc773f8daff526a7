"""How commands print: JSON for scripts, a table on a terminal, tab-separated lines for every other reader.

Does not know what it prints.
"""

import json
import sys
from collections.abc import Sequence

import typer

__all__ = ["print_json", "print_rows", "printable"]


def print_json(value: object) -> None:
    """Print ``value`` as indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> None:
    """Print ``rows`` under ``columns`` on a terminal, and without them as lines of tab-separated values elsewhere.

    On a terminal, a column without a value is left out, and without rows the sentence ``none`` is shown.
    """
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(printable(cell) for cell in row))
        return
    if not rows:
        typer.echo(none)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    table = Table(*(columns[index] for index in shown), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(row[index])) for index in shown))
    Console().print(table)


def printable(text: str) -> str:
    """Return ``text`` with what could break a line or command a terminal written out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
