"""What shadow answers have shown of a route's semantic tier, kept so that all workers and the next start know it.

One line of JSON for each comparison, in a file that every worker appends to and reads on from where it was: all fold
the same lines in the same order and so come to the same bound. A line holds no text of anybody's: only how far the
answers were apart, when, and under which rules. Lines of other rules (another model, another similarity) do not count.
That somebody has switched the tier off or on, or begun it anew, is a line, too, whatever its rules.
"""

import json
import os
import time
from pathlib import Path
from typing import Final, Literal

from mainstay.caching.bound import UpperBound

__all__ = ["Evidence", "State"]

State = Literal["proving", "on", "off"]

#: A file that has grown longer is not read further: nobody compares that often.
_LONGEST: Final = 64 * 1024 * 1024


class Evidence:
    """The comparisons of one namespace, and what follows from them. Used by one thread at a time.

    ``state`` is ``on`` while an upper bound on the share of wrong hits is at most ``error``, otherwise ``proving``; and
    ``off``, until somebody resets it, once a lower bound is above ``error``: then it is shown to be wrong too often; or
    while somebody has switched it off.

    Args:
        path: the file; None keeps it in memory.
        rules: what the hits were found by; evidence found by other rules does not count.
        alpha: the chance that a bound is ever wrong.
        error: the share of wrong hits that is allowed.
    """

    def __init__(self, path: Path | None, rules: str, alpha: float, error: float) -> None:
        self._path = path
        self._rules = rules
        self._alpha = alpha
        self._error = error
        #: Up to where the file was folded, and how long it was then: a line may have been torn.
        self._read = self._seen = 0
        self._restart()

    def _restart(self) -> None:
        self._halted = ""
        self._begin()

    def _begin(self) -> None:
        self._above, self._below = UpperBound(self._alpha), UpperBound(self._alpha)
        self.disagreements = 0
        self._found: State = "proving"

    @property
    def state(self) -> State:
        """Whether hits are given (``on``), only compared (``proving``), or not looked for (``off``)."""
        return "off" if self._halted else self._found

    @property
    def reason(self) -> str:
        """Why the tier is off, "" where it is not."""
        if self._halted:
            return f"switched off: {self._halted}"
        if self._found == "off":
            return f"{self.disagreements} of {self.count} answers disagreed, more than {self._error:.2%} can explain"
        return ""

    @property
    def count(self) -> int:
        """How many hits were compared."""
        return self._above.count

    @property
    def mean(self) -> float:
        """The share of wrong ones among them."""
        return self._above.mean

    @property
    def upper(self) -> float:
        """The upper bound on the share of wrong hits."""
        return self._above.bound

    @property
    def lower(self) -> float:
        """The lower bound."""
        return 1.0 - self._below.bound

    def _take(self, apart: float) -> None:
        self._above.take(apart)
        self._below.take(1.0 - apart)
        self.disagreements += apart > 0.5
        if self.lower > self._error:
            self._found = "off"
        elif self._found != "off":
            self._found = "on" if self.upper <= self._error else "proving"

    def add(self, apart: float) -> None:
        """Take one comparison: 0 where the answers say the same, 1 where they do not.

        Raises:
            OSError: the file cannot be written.
        """
        if self._path is None:
            self._take(apart)
            return
        self._append({"apart": round(apart, 4)})
        self.refresh()

    def reset(self) -> None:
        """Forget what was shown: the tier begins anew. Raises as :meth:`add`."""
        self._note({"reset": True})

    def halt(self, why: str) -> None:
        """Switch the tier off until :meth:`resume` or :meth:`reset`. Raises as :meth:`add`."""
        self._note({"halt": why or "no reason given"})

    def resume(self) -> None:
        """End what :meth:`halt` began; what was shown still counts. Raises as :meth:`add`."""
        self._note({"halt": ""})

    def moved(self) -> bool:
        """Whether others have written since. Costs one look at the file's size, some 2 µs; never raises."""
        if self._path is None:
            return False
        try:
            size = os.stat(self._path).st_size
        except OSError:
            return self._read > 0
        return size != self._seen and size <= _LONGEST

    def refresh(self) -> None:
        """Take what other workers have written since. Raises OSError as :meth:`add`."""
        if self._path is None:
            return
        if not self._path.exists():
            if self._read:
                self._read = self._seen = 0
                self._restart()
            return
        with open(self._path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == self._seen or size > _LONGEST:
                return
            if size < self._read:
                self._read = 0
                self._restart()
            file.seek(self._read)
            data = file.read()
            self._seen = size
        whole = data.rfind(b"\n") + 1
        self._read += whole
        for line in data[:whole].splitlines():
            self._fold(line)

    def _fold(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            if row.get("reset") is True:
                self._restart()
            elif "halt" in row:
                self._halted = str(row["halt"])
            elif row["rules"] == self._rules:
                self._take(float(row["apart"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            # A line that a crash has torn says nothing.
            return

    def _note(self, row: dict[str, object]) -> None:
        if self._path is None:
            self._fold(json.dumps(row).encode())
            return
        self._append(row)
        self.refresh()

    def _append(self, row: dict[str, object]) -> None:
        assert self._path is not None
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = json.dumps({"at": int(time.time() * 1000), "rules": self._rules, **row}).encode() + b"\n"
        # One write with O_APPEND: lines of several workers do not mix.
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
