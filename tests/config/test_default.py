"""The configuration written where there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.config import default_config_text, load_config
from mainstay.encoders.minilm import is_installed

#: Where they are installed, our own guards answer ``/v1/moderations``.
GUARDS = {"guards"} if is_installed() else set()


def test_it_loads_without_any_account(write: Callable[..., Path]) -> None:
    loaded = load_config(write(default_config_text()), {})
    assert loaded.warnings == ()
    assert {provider.kind for provider in loaded.config.providers.values()} == {"llamacpp", "echo"} | GUARDS
    assert loaded.config.routes["assistant"].targets[0].model == "small"
    assert loaded.config.identity.required


@pytest.mark.skipif(not GUARDS, reason="the extra 'guards' is not installed")
def test_what_it_shows_in_comments_loads_too(write: Callable[..., Path], env: dict[str, str]) -> None:
    text = default_config_text()
    shown = [
        line.replace("# ", "", 1) if line.lstrip().startswith("# ") and line.startswith(" ") else line
        for line in text.splitlines()
    ]
    shown = [line for line in shown if line.strip() != "targets: [small]"]
    config = load_config(write("\n".join(shown)), env).config
    assert list(config.providers) == ["house", "echo", "openai", "guards", "claude"]
    assert [target.weight for target in config.routes["assistant"].targets] == [9, 1]
