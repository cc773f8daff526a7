"""Lists of addresses hold addresses, each once."""

import pytest

from mainstay.core.errors import InvalidRequest
from mainstay.grounding.addresses import file_name, list_addresses, read_list


def test_addresses_are_listed_once_and_without_their_fragments() -> None:
    assert list_addresses(["https://a.test/x#one", "https://a.test/x#two", "http://b.test"]) == [
        "https://a.test/x",
        "http://b.test",
    ]


def test_a_file_of_addresses_may_have_remarks() -> None:
    assert read_list("# ours\nhttps://a.test/x\n\n  https://b.test/y  \n") == ["https://a.test/x", "https://b.test/y"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.test", "a.test", "https://a.test/a b", "gopher://a"])
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="Address 2 of the source is none"):
        list_addresses(["https://a.test", url])


def test_a_file_is_called_by_the_end_of_its_address() -> None:
    assert file_name("https://a.test/docs/leave%20policy.md?x=1") == "leave policy.md"
    assert file_name("https://a.test/docs/") == ""
