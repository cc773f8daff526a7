import pytest

from mainstay.core.call import Caller
from mainstay.core.errors import Unauthenticated
from mainstay.core.ports import KeyRing
from mainstay.identity.null import ANONYMOUS, NullKeyRing


class OneKey:
    def find(self, presented: bytes) -> Caller:
        if presented != b"ms-good":
            raise Unauthenticated("no")
        return Caller("key_1", "alice", "web", frozenset({"a"}))


def test_everyone_is_anonymous_and_may_call_everything() -> None:
    ring: KeyRing = NullKeyRing()
    assert ring.find(b"") == ring.find(b"ms-anything") == ANONYMOUS
    assert ANONYMOUS.routes is None


@pytest.mark.parametrize("presented", [b"", b"ms-bad", b"sk-not-needed"])
def test_a_key_that_is_not_good_is_anonymous_too(presented: bytes) -> None:
    assert NullKeyRing(OneKey()).find(presented) is ANONYMOUS


def test_a_good_key_still_names_its_owner() -> None:
    assert NullKeyRing(OneKey()).find(b"ms-good").name == "alice"
