"""A call gets the class it asks for, up to the highest its caller may use."""

import pytest

from mainstay.core.call import Caller, Priority
from mainstay.core.errors import InvalidRequest
from mainstay.routing.priority import clamp

CLASSES = {"payments": "critical", "batch": "sheddable", "web": "critical", "night": "sheddable"}


@pytest.mark.parametrize(
    ("asked", "name", "team", "given"),
    [
        (None, "anyone", "", Priority.STANDARD),
        (None, "payments", "", Priority.STANDARD),
        (None, "batch", "", Priority.SHEDDABLE),
        ("critical", "anyone", "", Priority.STANDARD),
        ("critical", "payments", "", Priority.CRITICAL),
        (" Critical ", "one", "web", Priority.CRITICAL),
        ("critical", "night", "web", Priority.SHEDDABLE),
        ("standard", "batch", "", Priority.SHEDDABLE),
        ("sheddable", "payments", "", Priority.SHEDDABLE),
        ("sheddable", "anyone", "", Priority.SHEDDABLE),
    ],
)
def test_a_class_is_what_was_asked_and_never_above_the_callers_own(
    asked: str | None, name: str, team: str, given: Priority
) -> None:
    assert clamp(asked, Caller("id", name=name, team=team), CLASSES) is given


def test_without_classes_nobody_is_critical() -> None:
    assert clamp("critical", Caller("id"), {}) is Priority.STANDARD
    assert clamp("sheddable", Caller("id"), {}) is Priority.SHEDDABLE


def test_a_word_that_is_no_class_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidRequest, match="critical, standard, sheddable") as caught:
        clamp("urgent", Caller("id"), CLASSES)
    assert caught.value.param == "x-mainstay-priority"
