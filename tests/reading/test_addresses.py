"""Addresses that lead inside are refused in every form; hosts are allowed as they are written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.reading.addresses import Place, allows, choose, is_public, read_url

INSIDE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2001:0:1::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_of_somebodys_inside_are_not_public_and_never_chosen(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(Unreadable):
        choose([address])
    with pytest.raises(Unreadable):
        choose(["93.184.216.34", address])


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_chosen_in_the_order_they_came(address: str) -> None:
    assert choose([address, "8.8.8.8"]) == str(ipaddress.ip_address(address))


def test_an_inner_network_may_be_opened_but_never_the_place_of_credentials() -> None:
    networks = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("169.254.0.0/16")]
    assert choose(["10.1.2.3"], networks) == "10.1.2.3"
    assert choose(["::ffff:10.1.2.3"], networks) == str(ipaddress.ip_address("::ffff:10.1.2.3"))
    for address in ("10.2.0.1", "169.254.169.254", "::ffff:169.254.169.254"):
        with pytest.raises(Unreadable, match="private network"):
            choose([address], networks)
    for nothing in ([], ["not an address"], ["fe80::1%eth0%"]):
        with pytest.raises(Unreadable):
            choose(nothing)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://Example.COM/a/b?c=d#e", Place(True, "example.com", 443, "/a/b?c=d")),
        ("http://example.com:8080", Place(False, "example.com", 8080, "/")),
        ("https://example.com./x", Place(True, "example.com", 443, "/x")),
        ("https://bücher.example/x", Place(True, "xn--bcher-kva.example", 443, "/x")),
        ("https://example。com/", Place(True, "example.com", 443, "/")),
        ("http://93.184.216.34/", Place(False, "93.184.216.34", 80, "/")),
        ("http://[2606:4700::1111]:81/", Place(False, "2606:4700::1111", 81, "/")),
        ("http://①②⑦.⓪.⓪.①/", Place(False, "127.0.0.1", 80, "/")),
    ],
)
def test_a_url_is_read_as_it_will_be_asked(url: str, place: Place) -> None:
    assert read_url(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/x",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://example.com/",
        "data:text/plain,x",
        "https://",
        "https:///x",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://example.com@evil.example/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://0/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com/a b",
        "http://example.com/\r\nx: y",
        "http://exa\tmple.com/",
        "http://example.com/ü",
        "https://example.com/" + "x" * 5000,
    ],
)
def test_a_url_that_is_none_or_hides_where_it_leads_is_refused(url: str) -> None:
    with pytest.raises(Unreadable):
        read_url(url)


@given(st.text(max_size=60).map(lambda text: "http://" + text))
def test_any_text_is_a_place_or_refused(url: str) -> None:
    try:
        place = read_url(url)
    except Unreadable:
        return
    assert place.host
    assert place.host == place.host.lower()
    assert place.target.startswith("/")
    assert not set(place.host + place.target) & set("\r\n\t \\@")


@given(st.integers(0, 2**32 - 1))
def test_the_mapped_form_of_an_address_is_judged_like_the_plain_one(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    assert is_public(ipaddress.ip_address(f"::ffff:{plain}")) == is_public(plain)


@pytest.mark.parametrize(
    ("pattern", "url", "allowed"),
    [
        ("*", "https://anything.example/", True),
        ("*", "https://anything.example:444/", False),
        ("example.com", "https://example.com/x", True),
        ("example.com", "http://example.com/x", True),
        ("example.com", "https://www.example.com/", False),
        ("example.com", "https://notexample.com/", False),
        ("example.com", "https://example.com.evil.example/", False),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://example.com/", False),
        ("*.example.com", "https://evilexample.com/", False),
        ("example.com:8443", "https://example.com:8443/", True),
        ("example.com:8443", "https://example.com/", False),
        ("[2606:4700::1111]", "https://[2606:4700::1111]/", True),
        ("[2606:4700::1111]:81", "http://[2606:4700::1111]:81/", True),
    ],
)
def test_hosts_are_allowed_as_they_are_written(pattern: str, url: str, allowed: bool) -> None:
    assert allows([pattern], read_url(url)) is allowed
