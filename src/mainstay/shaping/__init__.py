"""What form an answer must have: JSON Schema on every model, tools' arguments, parsers for those who want no JSON.

Wired through ``service``; ``Shape`` is the step on the line. A form is said in the model's own mode where it has one
and in words where it has none; the answer is always judged here, repaired only into what is provably the same, and
asked for again within a bound.
"""

from mainstay.shaping.service import compile_shape
from mainstay.shaping.stage import Shape
from mainstay.shaping.templates import Templates

__all__ = ["Shape", "Templates", "compile_shape"]
