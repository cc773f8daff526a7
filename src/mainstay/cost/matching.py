"""Which row of the catalogue is meant by a configured model: names of sellers and of models, by rule alone.

A model is looked up among what its seller sells, by its whole name and then by the same name in fewer words: without
the region before it, or without the date or version after it. A name is never found by a part of another, so that
``gpt-4o`` is not ``gpt-4o-mini``; what is not found is unknown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

__all__ = ["Row", "find_name", "fold", "place_of", "plain", "seller_of_genai", "seller_of_litellm", "sellers"]

#: A price in the catalogue's form: the fields of :class:`~mainstay.cost.prices.Price`.
Row = dict[str, Any]

#: Kinds of provider that are not called as their seller is, and who has the same prices in the seller's stead.
_SELLERS: Final[Mapping[str, tuple[str, ...]]] = {
    "openai-responses": ("openai",),
    "azure": ("azure", "openai"),
    "azure-deployments": ("azure", "openai"),
    "azure-responses": ("azure", "openai"),
    "azure-models": ("azure-ai", "azure"),
    "azure-anthropic": ("azure-ai", "anthropic"),
    "gemini-openai": ("gemini",),
    "vertex": ("vertex", "gemini"),
    "cohere-openai": ("cohere",),
    "dashscope-anthropic": ("dashscope",),
    "deepseek-anthropic": ("deepseek",),
    "minimax-anthropic": ("minimax",),
    "moonshot-anthropic": ("moonshot",),
    "zai-anthropic": ("zai",),
    "zhipu": ("zhipu", "zai"),
    # Servers that people run themselves: what they cost is not on anybody's list.
    "llama-server": (),
    "lmstudio": (),
    "localai": (),
    "nim": (),
    "ollama": (),
    "sglang": (),
    "tgi": (),
    "vllm": (),
    # Another shop of the same name.
    "github": (),
}
_LITELLM: Final = {
    "text-completion-openai": "openai",
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "bedrock_mantle": "bedrock",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "fireworks_ai-embedding-models": "fireworks",
    "together_ai": "together",
    "vercel_ai_gateway": "vercel",
    "jina_ai": "jina",
    "friendliai": "friendli",
    "nvidia_nim": "nvidia",
    "meta_llama": "meta",
    "xiaomi_mimo": "xiaomi",
}
#: What stands before the names of models and is none of their own.
_LITELLM_PREFIX: Final = {"fireworks": "accounts/fireworks/models/", "bedrock": "", "jina": ""}
_GENAI: Final = {
    "aws": "bedrock",
    "google": "gemini",
    "x-ai": "xai",
    "moonshotai": "moonshot",
    "voyageai": "voyage",
    "zhipuai": "zhipu",
}
#: Ends of names that say which issue of a model it is: dates, ``-latest``, three or four digits, Bedrock's version.
_ISSUE: Final = (
    re.compile(r"-v\d+:\d+(?::\d+k)?$"),
    re.compile(r":\d+$"),
    re.compile(r"[-@]20\d{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?:-v\d+)?$"),
    re.compile(r"[-@](?:latest|default)$"),
    re.compile(r"-preview-(?:0[1-9]|1[0-2])-(?:[0-3]\d|20\d{2})$"),
    re.compile(r"[-@](?:0[1-9]|1[0-2])-(?:20)?2\d$"),
    re.compile(r"[-@](?:00\d|0[1-9][0-3]\d|1[0-2][0-3]\d|2[3-9](?:0[1-9]|1[0-2]))$"),
)
#: What stands before names and says where or how a model is called.
_PLACE: Final = (
    re.compile(r"^arn:aws[a-z-]*:bedrock:[^/]*/"),
    re.compile(r"^(?:us|eu|apac|global|jp|au|ca|sa|us-gov)\.(?=[a-z0-9-]+\.)"),
    re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/"),
    re.compile(r"^models/"),
    re.compile(r"^accounts/fireworks/models/"),
)
#: Regions and classes of regions, before a name of Bedrock's or Azure's.
_REGION: Final = re.compile(
    r"(us-gov|us|eu|apac|global|jp|au|ca|sa|regional)[./]|([a-z]{2}(?:-gov|-iso)?-[a-z]+-\d)/|(global-standard)/"
)
#: OpenRouter's ways to choose among hosts of one model, which have no list price of their own.
_WAY: Final = re.compile(r":(?:nitro|floor|exacto|online|thinking)$")
_TUNED: Final = re.compile(r"^ft:([^:]+)(?::.*)?$")


def sellers(kind: str) -> tuple[str, ...]:
    """Return who sells what providers of ``kind`` offer, the first choice first; none for servers of one's own."""
    return _SELLERS.get(kind, (kind,))


def seller_of_litellm(provider: str, key: str) -> tuple[str, str]:
    """Return seller and model of an entry of litellm's table."""
    if provider.startswith("vertex_ai"):
        return "vertex", key.removeprefix("vertex_ai/")
    seller = _LITELLM.get(provider, provider.replace("_", "-"))
    for prefix in (provider, provider.replace("_", "-"), seller, provider.partition("-embedding")[0]):
        if key.startswith(f"{prefix}/"):
            key = key[len(prefix) + 1 :]
            break
    return seller, key.removeprefix(_LITELLM_PREFIX.get(seller, "\0"))


def seller_of_genai(provider: str, model: str) -> tuple[str, str]:
    """Return seller and model of an entry of genai-prices' data."""
    if provider.startswith("huggingface_"):
        # The router takes the host after a colon.
        return "huggingface", f"{model}:{provider.removeprefix('huggingface_')}"
    if provider == "fireworks":
        model = model.removeprefix("accounts/fireworks/models/")
    return _GENAI.get(provider, provider), model


def fold(name: str) -> str:
    """Return ``name`` as the catalogue writes it: in lower case, without spaces at its ends."""
    return name.strip().lower()


def plain(rate: Decimal) -> Decimal:
    """Return ``rate`` written with as few digits as it has, and no exponent."""
    return Decimal(format(rate.normalize(), "f"))


def place_of(name: str) -> str:
    """Return the region that a name begins with, or ""."""
    match = _REGION.match(name)
    return next(filter(None, match.groups()), "") if match is not None else ""


def find_name(name: str, known: Mapping[str, Any], aliases: Mapping[str, str], region: str = "") -> str | None:
    """Return the key of ``known`` that ``name`` stands for, or None.

    ``region`` is tried before the name, for sellers whose prices differ by it. A name without a date that is known
    only with dates is the latest of these.
    """
    asked = fold(name)
    for candidate in _candidates(asked, region):
        if candidate in known:
            return candidate
        if candidate in aliases and aliases[candidate] in known:
            return aliases[candidate]
    bare = _bare(asked)
    dated = [key for key in known if key != bare and key.startswith(bare) and _bare(key) == bare]
    return max(dated, key=_age, default=None)


def _candidates(name: str, region: str) -> Iterator[str]:
    """Yield what ``name`` may be called, the most exact first."""
    seen: set[str] = set()
    tuned = _TUNED.match(name)
    if tuned is not None:
        # A tuned model has a price of its own, which its base does not tell.
        yield from (f"ft:{tuned[1]}", f"ft:{_bare(tuned[1])}")
        return
    for form in _forms(name):
        for candidate in (f"{region}/{form}", form) if region else (form,):
            if candidate not in seen:
                seen.add(candidate)
                yield candidate


def _forms(name: str) -> Iterator[str]:
    yield name
    placed = _without(name, _PLACE)
    yield placed
    placed = _WAY.sub("", placed)
    yield placed
    yield placed.replace("@", "-")
    bare = placed
    while (shorter := _issueless(bare)) != bare:
        bare = shorter
        yield bare
    # "4.5" and "4-5" are one version, written two ways.
    yield re.sub(r"(?<=\d)\.(?=\d)", "-", bare)
    yield re.sub(r"(?<=-\d)-(?=\d(?:-|$))", ".", bare)


def _without(name: str, patterns: Sequence[re.Pattern[str]]) -> str:
    for pattern in patterns:
        name = pattern.sub("", name, count=1)
    return name


def _issueless(name: str) -> str:
    for pattern in _ISSUE:
        shorter = pattern.sub("", name)
        if shorter != name and shorter:
            return shorter
    return name


def _bare(name: str) -> str:
    """Return ``name`` without where it is called and which issue it is."""
    name = _WAY.sub("", _without(name, _PLACE))
    while (shorter := _issueless(name)) != name:
        name = shorter
    return name


def _age(name: str) -> tuple[str, str]:
    """Return what orders issues of one model by date, as far as their names tell."""
    digits = re.sub(r"\D", "", "".join(re.findall(r"20\d{2}-?\d{2}-?\d{2}", name)))
    return digits, name
