"""The configuration that ``mainstay up`` writes where there is none: the bundled model, an echo, and what to add."""

from mainstay.encoders.minilm import is_installed

__all__ = ["default_config_text"]

_TEXT = """\
# Mainstay. Check an edit with `mainstay check mainstay.yaml`; a running gateway takes it up by itself.
# Durations: 250ms, 2s, 1h. Sizes: 10MiB. ${NAME} reads the environment, file:PATH a mounted secret.

server:
  host: 127.0.0.1
  port: 8080

providers:
  house:                      # a small model that comes with Mainstay and runs on this machine
    kind: llamacpp
    model: smollm2-135m-instruct
  echo:                       # says back what it is told; for first steps and tests
    kind: echo
  # openai:                   # OpenAI, or any server that speaks its wire: give its address as base_url
  #   kind: openai
  #   api_key: "${OPENAI_API_KEY}"
  # guards:                   # judge texts and images for /v1/moderations here: pip install 'mainstay[guards]'
  #   kind: guards
  # claude:
  #   kind: anthropic
  #   api_key: "${ANTHROPIC_API_KEY}"

models:                       # each can be called by its own name
  small: {provider: house}
  echo: {provider: echo}
  # gpt-4o-mini: {provider: openai}
  # haiku: {provider: claude, name: claude-haiku-4-5}
  # omni-moderation-latest: {provider: guards}    # what /v1/moderations asks when no model is named

routes:                       # names your applications call; what stands behind them can change any time
  assistant:
    targets: [small]
    # targets:
    #   - {model: gpt-4o-mini, weight: 9}
    #   - {model: small, weight: 1}
    # choose: weighted
"""


#: Lines that hold where our own guards are installed, and are shown as comments elsewhere.
_GUARDS = ("guards:", "  kind: guards", "omni-moderation-latest:")


def default_config_text() -> str:
    """Return the text of the default configuration, a YAML file that loads as it stands."""
    text = _TEXT
    if is_installed():
        for line in _GUARDS:
            text = text.replace(f"  # {line}", f"  {line}")
    return text
