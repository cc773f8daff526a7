"""What several answers took together."""

from mainstay.core.usage import Usage, add_up


def test_counts_are_summed_and_what_all_say_alike_is_kept() -> None:
    one = Usage(10, 5, cache_read=3, searches=1, service="flex", reported=7, images=1, image_form="hd/1x1")
    other = Usage(1, 2, reasoning=1, service="flex", reported=5, images=2, image_form="hd/1x1")
    assert add_up((one, other)) == Usage(
        11, 7, cache_read=3, reasoning=1, searches=1, service="flex", reported=12, images=3, image_form="hd/1x1"
    )


def test_what_not_all_say_is_not_said() -> None:
    both = add_up((Usage(1, 1, reported=5, service="flex"), Usage(1, 1, estimated=True)))
    assert (both.reported, both.service, both.estimated) == (None, "", True)


def test_one_answer_is_itself() -> None:
    usage = Usage(1, 2)
    assert add_up((usage,)) is usage
