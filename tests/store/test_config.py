"""``store:`` in the configuration."""

import pytest
from pydantic import ValidationError

from mainstay.core.config import LoadContext
from mainstay.store.config import StoreConfig

CONTEXT = LoadContext("/etc/ms", "/srv/home", lambda path: path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///var/mainstay.db", "sqlite:////srv/home/mainstay.db"),
        ("sqlite:///var/sub/x.db?timeout=1", "sqlite:////srv/home/sub/x.db?timeout=1"),
        ("sqlite:///data/x.db", "sqlite:////etc/ms/data/x.db"),
        ("sqlite:///../x.db", "sqlite:////etc/x.db"),
        ("sqlite:///variable.db", "sqlite:////etc/ms/variable.db"),
        ("sqlite:////abs/x.db", "sqlite:////abs/x.db"),
        ("postgresql+psycopg://u@h/db", "postgresql+psycopg://u@h/db"),
    ],
)
def test_paths_are_relative_to_the_configuration_and_var_is_the_home(written: str, meant: str) -> None:
    assert StoreConfig.model_validate({"url": written}, context=CONTEXT).url == meant


def test_the_default_follows_the_home() -> None:
    assert StoreConfig.model_validate({}, context=CONTEXT).url == "sqlite:////srv/home/mainstay.db"


@pytest.mark.parametrize(
    "url", ["", "mysql://h/d", "mainstay.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a\0b"]
)
def test_other_databases_and_none_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must"):
        StoreConfig(url=url)


def test_a_password_in_the_address_never_shows() -> None:
    config = StoreConfig(url="postgresql://mainstay:hunter2@db/ms")
    assert "hunter2" not in repr(config)
    assert config.model_dump(mode="json") == {"url": "postgresql://mainstay:**********@db/ms"}
