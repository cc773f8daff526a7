"""Our own verifier behind the port ``Verifier``: a small net that reads a claim and evidence together, and the claim
turned round (``edits``) beside it.

The net lies in ``weights/``, in a format in which nothing can run; what it learnt from, and how well it does, stands in
``recipes/grounding``. A file that is not the one this version knows is refused, and so is one that gets its known
answers wrong. It knows English, and finds less in other languages than there is.
"""

import hashlib
import re
import threading
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mainstay.core.errors import StartError
from mainstay.core.sources import Verdict
from mainstay.encoders.wordpiece import open_pieces
from mainstay.grounding.edits import turned
from mainstay.grounding.port import Support
from mainstay.grounding.sentences import sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "CONTRADICTED_AT",
    "MISSING",
    "SUPPORTED_AT",
    "GroundVerifier",
    "is_installed",
    "judge",
    "numbers_lack",
    "open_verifier",
]

#: What to tell whoever wants claims checked where a package is missing.
MISSING: Final = "needs packages that are not installed: pip install 'mainstay[knowledge]'"
#: From these probabilities on a verdict is given; the precision that they were chosen for stands in the card.
SUPPORTED_AT: Final = 0.55
CONTRADICTED_AT: Final = 0.55
_FILE: Final = "weights/verifier.onnx"
_SHA256: Final = "86a59369003590d8f495d5b9f64965d896691915c87addb0c6bc420dc4ddd0ab"
#: Pieces of words that are read: of a claim, and of a claim with a window of evidence.
_CLAIM: Final = 48
_BOTH: Final = 128
#: Windows that are looked at of one piece of evidence, those with most of the claim's words.
_WINDOWS: Final = 6
#: Rows computed together.
_TOGETHER: Final = 8
#: What is left of support where a number of the claim is nowhere in the evidence: of SciFact's train pairs of which
#: that is so, one in six is supported.
_WITHOUT_NUMBER: Final = 0.3
_QUOTED: Final = Support(0.995, 0.0, 0.005)
_NOTHING: Final = Support(0.0, 0.0, 1.0)
#: Known answers: claim, evidence, and which of the three it must be, at the least how probable.
_KNOWN: Final = (
    ("The treatment increased survival.", "The treatment increased survival in mice.", 0, 0.7),
    ("The treatment decreased survival.", "The treatment increased survival in mice.", 1, 0.7),
    ("The gene is needed for growth.", "The gene is not needed for growth.", 1, 0.8),
)
_WORD: Final = re.compile(r"[^\W_]+")
_COMMON: Final = (
    "the and for with that this from were was are has have been not than which their its also more into these can may"
    " between both but who had after our we in of to a an is by on or as at be it they"
)
_STOP: Final = frozenset(_COMMON.split())
#: A number that says how many or when; a digit alone, or one in a name, does not (type 2, IL-6).
_NUMBER: Final = re.compile(
    r"(?<![\w.·-])(\d{1,3}(?:[,\u202f]\d{3})+(?:[.·]\d+)?|\d+[.·]\d+|\d\d+|\d(?= ?(?:%|percent|million|billion)))(?!\w)"
    r"[ -]?(thousand|million|billion|trillion)?"
)
_DIGITS: Final = re.compile(
    r"(\d{1,3}(?:[,\u202f]\d{3})+(?:[.·]\d+)?|\d+(?:[.·]\d+)?)[ -]?(thousand|million|billion|trillion)?"
)
_SCALES: Final = {"": 1.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_COUNTED: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
_SPELT: Final = {word: float(value) for value, word in enumerate(_COUNTED.split())} | {
    "once": 1.0,
    "twice": 2.0,
    "double": 2.0,
    "doubled": 2.0,
    "quarter": 25.0,
    "third": 33.0,
    "half": 50.0,
}


def is_installed() -> bool:
    """Return whether claims can be checked here, without loading anything."""
    return find_spec("onnxruntime") is not None and files("mainstay.grounding").joinpath(_FILE).is_file()


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .\"'“”*_")


def _is_quote(claim: str, evidence: str) -> bool:
    """Return whether each sentence of the claim is a whole sentence of the evidence: a part of one may be denied by
    the rest."""
    said = {_plain(claim[one.start : one.end]) for one in sentences(claim)}
    if not said or not all(part in _plain(evidence) for part in said):
        return False
    return said <= {_plain(evidence[one.start : one.end]) for one in sentences(evidence)}


def _doubted(one: Support) -> Support:
    kept = one.supported * _WITHOUT_NUMBER
    return Support(kept, one.contradicted, one.unknown + one.supported - kept)


def _stems(text: str) -> set[str]:
    return {word[:6] for word in _WORD.findall(text.casefold()) if word not in _STOP}


def _numbers(text: str, pattern: re.Pattern[str]) -> list[tuple[float, float]]:
    """Return the numbers of ``text``, and how far each may be off as it is written."""
    found = []
    for match in pattern.finditer(text):
        digits, scale = re.sub(r"[,\u202f]", "", match[1]).replace("·", "."), _SCALES[match[2] or ""]
        found.append((float(digits) * scale, 0.5 * 10.0 ** -len(digits.partition(".")[2]) * scale))
    return found


def numbers_lack(claim: str, evidence: str) -> bool:
    """Return whether ``claim`` holds a number that the evidence does not have: not even rounded, or as a word."""
    wanted = _numbers(claim, _NUMBER)
    if not wanted:
        return False
    given = [value for value, _ in _numbers(evidence, _DIGITS)]
    given += [_SPELT[word] for word in _WORD.findall(evidence.casefold()) if word in _SPELT]
    return any(not any(abs(value - other) <= off * 1.0001 for other in given) for value, off in wanted)


def judge(claim: str, evidence: Sequence[str]) -> tuple[Verdict, float]:
    """Return what pieces of evidence together say of a claim, and the greatest probability of support. Blocks.

    Any piece may support it; where none does, any may contradict it.

    Raises:
        StartError: as :meth:`GroundVerifier.check`.
    """
    found = open_verifier().check([(claim, text) for text in evidence])
    score = max((one.supported for one in found), default=0.0)
    if score >= SUPPORTED_AT:
        return "supported", score
    against = max((one.contradicted for one in found), default=0.0)
    return ("contradicted" if against >= CONTRADICTED_AT else "not_found"), score


class GroundVerifier:
    """See :class:`~mainstay.grounding.port.Verifier`. Loads with the first claim; safe to share between threads."""

    name: str = f"mainstay-verifier-1:{_SHA256[:12]}"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: Any = None
        #: What logits are divided by; known once it has loaded.
        self.temperature = 1.0

    def check(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Support]:
        """See :class:`~mainstay.grounding.port.Verifier`. Of long evidence, the windows nearest to the claim are read:
        support is the greatest of any, and so is contradiction.

        Raises:
            StartError: the package that computes is missing, or the weights are not the ones that are known.
        """
        if self._session is None:
            self._load()
        result = [_NOTHING] * len(pairs)
        rows: list[_Row] = []
        spans: list[tuple[int, int, int]] = []
        for at, (claim, evidence) in enumerate(pairs):
            if _is_quote(claim, evidence):
                result[at] = _QUOTED
            elif some := _rows(claim, evidence):
                spans.append((at, len(rows), len(rows) + len(some)))
                rows += some
        if rows:
            chances = self._chances(rows)
            for at, start, end in spans:
                one = _together(chances[start:end])
                claim, evidence = pairs[at]
                result[at] = _doubted(one) if numbers_lack(claim[_last(claim) :], evidence) else one
        return result

    def _chances(self, rows: "Sequence[_Row]") -> "NDArray[np.float32]":
        """Return the probabilities of each row: what is said of its turned claim, turned back, counts for half."""
        import numpy as np

        both = [row.stands for row in rows] + [row.turned for row in rows if row.turned is not None]
        found = self._logits(both)
        said = found[: len(rows)]
        places = [at for at, row in enumerate(rows) if row.turned is not None]
        if places:
            said[places] = (said[places] + found[len(rows) :][:, [1, 0, 2]]) / 2
        scaled = np.exp((said - said.max(axis=1, keepdims=True)) / self.temperature)
        return np.asarray(scaled / scaled.sum(axis=1, keepdims=True), np.float32)

    def _logits(self, rows: Sequence[tuple[list[int], int]]) -> "NDArray[np.float32]":
        import numpy as np

        result = np.empty((len(rows), 3), np.float32)
        order = sorted(range(len(rows)), key=lambda at: len(rows[at][0]))
        for begin in range(0, len(order), _TOGETHER):
            some = order[begin : begin + _TOGETHER]
            ids = np.zeros((len(some), len(rows[some[-1]][0])), np.int64)
            sides, mask = np.zeros_like(ids), np.zeros(ids.shape, np.float32)
            for place, at in enumerate(some):
                numbers, first = rows[at]
                ids[place, : len(numbers)] = numbers
                sides[place, first : len(numbers)] = 1
                mask[place, : len(numbers)] = 1
            result[some] = self._session.run(None, {"ids": ids, "sides": sides, "mask": mask})[0]
        return result

    def _load(self) -> None:
        with self._lock:
            if self._session is not None:
                return
            if not is_installed():
                raise StartError(f"The check of claims {MISSING}.")
            import onnxruntime

            model = files("mainstay.grounding").joinpath(_FILE).read_bytes()
            if hashlib.sha256(model).hexdigest() != _SHA256:
                raise StartError("The weights of the check of claims are damaged; install mainstay again.")
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self.temperature = float(session.get_modelmeta().custom_metadata_map["temperature"])
            self._session = session
            try:
                self._ask()
            except StartError:
                self._session = None
                raise

    def _ask(self) -> None:
        """Ask what the answers are known of: a processor or build that computes wrongly must not judge."""
        for claim, evidence, which, least in _KNOWN:
            found = self._chances(_rows(claim, evidence))[0]
            if not found[which] >= least:
                raise StartError(
                    f"The check of claims answers {found[which]:.2f} for '{claim}', where {least:.2f} or more is right;"
                    " its packages do not work on this processor."
                )


class _Row(NamedTuple):
    """A claim and a window of evidence as numbers, with the length of the claim; and the same with the claim turned
    round, where it can be."""

    stands: tuple[list[int], int]
    turned: tuple[list[int], int] | None


def _last(claim: str) -> int:
    """Return where the last sentence begins: what stands before it only tells what it points at."""
    found = sentences(claim)
    return found[-1].start if found else 0


def _rows(claim: str, evidence: str) -> list[_Row]:
    """Return the claim with each window of the evidence."""
    pieces = open_pieces()
    last = _last(claim)
    other = turned(claim[last:])
    first = pieces.encode(claim, _CLAIM)
    back = pieces.encode(claim[:last] + other, _CLAIM) if other is not None else None
    room = _BOTH - max(len(first), len(back or ()))
    spans = sentences(evidence)
    # Without the mark of the start, and that of the end.
    parts = [pieces.encode(evidence[one.start : one.end], room + 1)[1:-1] for one in spans]
    windows = _windows([len(part) for part in parts], room - 1)
    if len(windows) > _WINDOWS:
        words = _stems(claim)
        near = [len(words & _stems(evidence[spans[start].start : spans[end - 1].end])) for start, end in windows]
        best = sorted(range(len(windows)), key=lambda at: (-near[at], at))[:_WINDOWS]
        windows = [windows[at] for at in sorted(best)]
    rows = []
    for start, end in windows:
        side = [number for part in parts[start:end] for number in part] + [pieces.end]
        rows.append(_Row((first + side, len(first)), None if back is None else (back + side, len(back))))
    return rows


def _windows(lengths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Return stretches of sentences that fit into ``room``; one begins with the last sentence of the one before."""
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(lengths):
        end, total = start + 1, lengths[start]
        while end < len(lengths) and total + lengths[end] <= room:
            total += lengths[end]
            end += 1
        found.append((start, end))
        if end == len(lengths):
            break
        # Seen together with what comes next, but where both do not fit.
        start = end - 1 if end - start > 1 and lengths[end - 1] + lengths[end] <= room else end
    return found


def _together(chances: "NDArray[np.float32]") -> Support:
    """Return one judgement of those on windows: each side's greatest, support first."""
    supported = float(chances[:, 0].max())
    contradicted = min(float(chances[:, 1].max()), 1.0 - supported)
    return Support(supported, contradicted, max(0.0, 1.0 - supported - contradicted))


@cache
def open_verifier() -> GroundVerifier:
    """Return the process's one verifier; it loads with the first claim: 0.4 seconds and about 120 MB."""
    return GroundVerifier()
