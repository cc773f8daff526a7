"""The catalogue of faults."""

import pytest

from mainstay.drill.faults import FAULTS, Fault, Play, Timing, Want

SLOW = Timing(headers=300, first_token=8, idle=10, total=60, attempts=4)


def test_there_are_sixteen_numbered_from_one() -> None:
    assert [fault.number for fault in FAULTS] == list(range(1, 17))
    assert len({fault.name for fault in FAULTS}) == 16


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"fault {fault.number}")
def test_every_fault_says_what_is_required_and_shows_itself(fault: Fault) -> None:
    assert fault.required
    assert {*fault.first, fault.then} != {Play.HEALTHY}
    assert 1 <= fault.primary[0] <= fault.primary[1]
    assert 0 < fault.seconds(SLOW) < SLOW.total
    assert 0 < fault.event(SLOW) < SLOW.total


def test_silent_and_late_upstreams_are_waited_for_as_long_as_the_route_says() -> None:
    silent, late, stalled = FAULTS[5], FAULTS[6], FAULTS[8]
    assert silent.seconds(SLOW) == 8 + 1 + SLOW.answer
    assert late.seconds(SLOW) == 8 + 1 + SLOW.answer
    assert stalled.event(SLOW) == 10 + 1


def test_the_shorter_of_two_limits_ends_a_silence() -> None:
    assert Timing(headers=3, first_token=8, idle=1, total=9, attempts=1).silence == 3


def test_a_late_first_token_is_later_than_any_route_waits() -> None:
    for limit in (1, 8, 60, 600):
        assert Timing(headers=9, first_token=limit, idle=1, total=9, attempts=1).lateness > limit


def test_only_the_content_filter_wants_an_error() -> None:
    assert [fault.number for fault in FAULTS if fault.want is Want.FILTER_ERROR] == [13]
