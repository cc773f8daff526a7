"""A folder for configurations, and one that is right."""

from collections.abc import Callable
from pathlib import Path

import pytest

#: The example that users are promised, word for word.
EXAMPLE = """\
server: {host: 127.0.0.1, port: 8080, workers: 1}
store: {url: "sqlite:///var/mainstay.db"}
identity: {required: true}            # false is accepted on a loopback address only

providers:
  openai: {kind: openai, api_key: "${OPENAI_API_KEY}"}          # base_url may point anywhere compatible
  claude: {kind: anthropic, api_key: "${ANTHROPIC_API_KEY}"}
  house:  {kind: llamacpp, model: smollm2-135m-instruct}        # bundled; or a path to a .gguf
  echo:   {kind: echo}                                          # deterministic; for tests and first steps

models:
  gpt-4o-mini: {provider: openai}                               # upstream name: the row's own unless `name:` is given
  haiku: {provider: claude, name: claude-haiku-4-5}
  small: {provider: house, price: {input: 0.02, output: 0.08}}  # US dollars per million tokens; overrides the catalogue

routes:
  assistant:
    targets:
      - {model: gpt-4o-mini, weight: 9}
      - {model: small, weight: 1}
    choose: weighted                  # first | weighted | fastest | cheapest | least-loaded | …
    fallback: [haiku, small]
    attempts: 4                       # upstream calls in all, retries and fallbacks together
    timeouts: {connect: 2s, headers: 8s, first_token: 8s, idle: 10s, total: 60s}
    interrupted: error                # error | hold | resume
    last_resort: "The assistant is unavailable; please try again in a minute."   # absent: an error
"""


@pytest.fixture
def example() -> str:
    """Return the example of the docs."""
    return EXAMPLE


@pytest.fixture
def env() -> dict[str, str]:
    """Return the environment the example wants."""
    return {"OPENAI_API_KEY": "sk-openai-0001", "ANTHROPIC_API_KEY": "sk-ant-0002"}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a configuration and returns its path."""

    def write(text: str, name: str = "mainstay.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write
