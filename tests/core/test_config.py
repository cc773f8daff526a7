"""Durations, sizes, names, secrets and addresses as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.core.config import (
    Duration,
    LoadContext,
    LocalPath,
    Name,
    PositiveDuration,
    Secret,
    Section,
    Size,
    format_duration,
    format_size,
    is_loopback,
    parse_duration,
    parse_size,
)


class Sample(Section):
    """All the scalars."""

    wait: Duration = 1.5
    limit: PositiveDuration = 2.0
    size: Size = 1024
    key: Secret | None = None
    name: Name = "a"
    file: LocalPath = "x"


def _context(text: str = "from-file") -> LoadContext:
    return LoadContext("/base", "/home", lambda path: f"{text}:{path}")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("2s", 2.0), ("5m", 300.0), ("1h", 3600.0), ("30d", 2_592_000.0), ("1.5s", 1.5), (" 2 s ", 2.0)],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["2", 2, 2.5, "", "s", "-2s", "2 weeks", "1e3s", "٣s", "2s\n2s", "99999999d", True, None]
)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_a_duration_survives_being_written_and_read(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"), [(512, 512), ("512", 512), ("64KiB", 65536), ("10MiB", 10 << 20), ("1 GiB", 1 << 30)]
)
def test_a_size_is_bytes_or_has_a_binary_unit(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["10MB", "1.5MiB", -1, True, None, "", "MiB", "9" * 20])
def test_anything_else_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="a size is"):
        parse_size(text)


@given(st.integers(0, 2**48))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert parse_size(format_size(size)) == size


def test_a_bare_number_is_refused_as_a_duration_but_a_default_stands() -> None:
    assert Sample().wait == 1.5
    with pytest.raises(ValidationError, match="a duration is"):
        Sample.model_validate({"wait": 2})


def test_no_time_at_all_is_refused_where_a_limit_is_wanted() -> None:
    assert Sample.model_validate({"wait": "0s"}).wait == 0.0
    with pytest.raises(ValidationError, match="greater than 0"):
        Sample.model_validate({"limit": "0s"})


def test_sections_are_frozen_and_know_their_fields() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Sample().size = 1  # type: ignore[misc]  # the point of the test
    with pytest.raises(ValidationError, match="Extra inputs"):
        Sample.model_validate({"sise": 1})


def test_a_section_is_written_back_as_people_write_it() -> None:
    dumped = Sample(key="k").model_dump(mode="json")  # type: ignore[arg-type]  # validated into a secret
    assert (dumped["wait"], dumped["limit"], dumped["size"]) == ("1500ms", "2s", "1KiB")
    assert Sample.model_validate({**dumped, "key": None}).wait == 1.5


def test_a_secret_never_shows() -> None:
    sample = Sample.model_validate({"key": "hunter2"})
    assert sample.key is not None
    assert sample.key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(sample) + str(sample) + sample.model_dump_json()


def test_a_mounted_secret_is_read_through_the_loader() -> None:
    sample = Sample.model_validate({"key": "file:run/key"}, context=_context())
    assert sample.key is not None
    assert sample.key.get_secret_value() == "from-file:run/key"


@pytest.mark.parametrize("value", ["", "  ", "two\nlines", "tab\t", "é", "nul\0"])
def test_a_secret_that_no_header_can_carry_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"key": value})
    if value.strip():
        assert value not in str(caught.value)


@pytest.mark.parametrize("name", ["a", "gpt-4.1", "org/model:free", "A@b", "0", "x" * 128])
def test_names_hold_what_vendors_put_into_them(name: str) -> None:
    assert Sample(name=name).name == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a\n", "é", "x" * 129, "a,b"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is no name"):
        Sample(name=name)


def test_a_relative_path_is_relative_to_the_configuration() -> None:
    assert Sample.model_validate({"file": "../ca.pem"}, context=_context()).file == "/ca.pem"
    assert Sample.model_validate({"file": "/etc/ca.pem"}, context=_context()).file == "/etc/ca.pem"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST.", "a.localhost", "::ffff:127.0.0.1"]
)
def test_loopback_addresses_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "", "127.0.0.1.evil.com", "*"]
)
def test_all_other_addresses_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
