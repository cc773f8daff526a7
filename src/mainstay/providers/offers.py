"""What a provider's row comes to: where it is reached and with what, and what it offers besides conversations."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from msgspec.structs import replace

from mainstay import __version__
from mainstay.core.ports import Assessor, Origin, Transport
from mainstay.core.target import TALKS, Operation, Target
from mainstay.providers.anthropic import CountCodec
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.bedrock.sigv4 import AccessKey, SigV4
from mainstay.providers.completions import CompletionsCodec
from mainstay.providers.config import (
    AnthropicConfig,
    EchoConfig,
    GuardsConfig,
    HttpProviderConfig,
    ModelConfig,
    OpenAIConfig,
    VendorConfig,
)
from mainstay.providers.guards import GuardsTasks
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.port import Codec, Provider
from mainstay.providers.tasks import OPENAI_PATHS, TASKS, make_task
from mainstay.providers.tasks.echo import ECHOED, EchoTasks
from mainstay.providers.tasks.provider import TaskProvider
from mainstay.providers.vendors import (
    VendorRow,
    address,
    make_codec,
    make_vendor_completions,
    make_vendor_task,
    vendor_credentials,
)

__all__ = ["able", "by_operation", "endpoint_of", "key_of", "others_of", "via"]

#: What any server that calls itself compatible with OpenAI may have; one that has not says so.
_OPENAI: Mapping[Operation, str | None] = {Operation.COMPLETION: None, **OPENAI_PATHS}


def key_of(row: HttpProviderConfig) -> str:
    """Return a row's key, "" where it has none."""
    return row.api_key.get_secret_value() if row.api_key is not None else ""


def endpoint_of(row: HttpProviderConfig, base_url: str, credentials: tuple[tuple[bytes, bytes], ...]) -> Endpoint:
    """Return where a row's provider is reached, with the headers that go with every request."""
    url = urlsplit(base_url)
    tls = url.scheme == "https"
    origin = Origin(url.hostname or "", url.port or (443 if tls else 80), tls, proxy=row.proxy or "")
    # The version of the wire is the caller's to choose when it speaks that wire.
    defaults = tuple(pair for pair in credentials if pair[0].endswith(b"-version"))
    headers = dict(pair for pair in credentials if pair not in defaults)
    headers[b"content-type"] = b"application/json"
    # Vendors' front doors refuse requests that do not say who asks.
    headers[b"user-agent"] = b"mainstay/" + __version__.encode()
    headers |= {name.encode(): value.get_secret_value().encode() for name, value in row.headers.items()}
    endpoint = Endpoint(origin, url.path.rstrip("/").encode(), tuple(headers.items()), defaults)
    return replace(endpoint, signer=_signer(row, origin)) if isinstance(row, BedrockConfig) else endpoint


def _signer(row: BedrockConfig, origin: Origin) -> SigV4 | None:
    """Return what signs requests to Bedrock, or None where an API key goes with them."""
    if row.access_key_id is None or row.secret_access_key is None:
        return None
    token = row.session_token.get_secret_value() if row.session_token is not None else ""
    key = AccessKey(row.access_key_id.get_secret_value(), row.secret_access_key.get_secret_value(), token)
    return SigV4(key, row.region, "bedrock", origin)


def via(row: HttpProviderConfig, endpoint: Endpoint) -> tuple[bool, str | None]:
    """Return how an endpoint is reached: over HTTP/2 or not, and whose certificates are trusted besides."""
    # HTTP/2 is offered in a TLS handshake; without TLS there is nothing to negotiate.
    return row.http2 and endpoint.origin.tls, row.ca_file


def others_of(
    row: object,
    vendor: VendorRow | None,
    engine: tuple[Endpoint, frozenset[Operation]] | None,
    transport: Callable[[bool, str | None], Transport],
    assessor: Callable[[GuardsConfig], Assessor],
) -> Iterator[tuple[Operation, Provider]]:
    """Yield what a provider has besides conversations.

    Args:
        row: its row in the configuration.
        vendor: the row of its vendor, where it has one.
        engine: where an engine of ours is reached, and what it can be asked.
        transport: opens a transport; see :func:`via`.
        assessor: returns what judges for guards of our own.
    """
    if isinstance(row, EchoConfig):
        echo = EchoTasks(row.delay)
        yield from ((operation, echo) for operation in ECHOED)
    elif isinstance(row, GuardsConfig):
        yield Operation.MODERATION, GuardsTasks(row, assessor(row))
    elif engine is not None:
        yield from _make("openai", dict.fromkeys(engine[1]), engine[0], transport(False, None))
    elif isinstance(row, AnthropicConfig):
        codec = CountCodec()
        endpoint = endpoint_of(row, row.base_url, codec.credentials(key_of(row)))
        yield Operation.COUNT, HttpProvider(codec, endpoint, transport(*via(row, endpoint)))
    elif isinstance(row, OpenAIConfig):
        endpoint = endpoint_of(row, row.base_url, OpenAICodec().credentials(key_of(row)))
        yield from _make("openai", _OPENAI, endpoint, transport(*via(row, endpoint)))
    elif isinstance(row, VendorConfig) and vendor is not None:
        base_url, _ = address(vendor, row.parameters, row.base_url)
        endpoint = endpoint_of(row, base_url, vendor_credentials(vendor, make_codec(vendor.wire), key_of(row)))
        offers = _offers_of(vendor, row.parameters)
        yield from _make(vendor.wire, offers, endpoint, transport(*via(row, endpoint)), vendor)


def _offers_of(row: VendorRow, parameters: Mapping[str, str]) -> Mapping[Operation, str | None]:
    """Return what a vendor offers besides conversations, and where; a path of None is the wire's own."""
    values = {**row.parameters, **parameters}
    found: dict[Operation, str | None] = dict.fromkeys(row.offers)
    for operation, path in row.paths.items():
        for name in row.parameters:
            path = path.replace(f"{{{name}}}", values[name])
        found[operation] = path
    return found


def _make(
    wire: str,
    offers: Mapping[Operation, str | None],
    endpoint: Endpoint,
    transport: Transport,
    vendor: VendorRow | None = None,
) -> Iterator[tuple[Operation, Provider]]:
    """Yield a provider of each operation of ``offers`` that ``wire`` has; see :func:`_offers_of`."""
    for operation, path in offers.items():
        if operation is Operation.COMPLETION:
            codec: Codec = CompletionsCodec() if path is None else CompletionsCodec(path)
            codec = codec if vendor is None else make_vendor_completions(vendor, codec)
            yield operation, HttpProvider(codec, endpoint, transport)
        elif operation in TASKS.get(wire, ()):
            task = make_task(wire, operation, path, floats=vendor is not None and not vendor.base64)
            task = task if vendor is None else make_vendor_task(vendor, operation, task)
            yield operation, TaskProvider(task, endpoint, transport)


def by_operation(
    offered: Iterable[tuple[str, Iterable[tuple[Operation, Provider]]]],
) -> Mapping[Operation, Mapping[str, Provider]]:
    """Return providers by operation and name, from what each name offers."""
    found: dict[Operation, dict[str, Provider]] = {}
    for name, offers in offered:
        for operation, provider in offers:
            found.setdefault(operation, {})[name] = provider
    return found


def able(
    target: Target,
    model: ModelConfig,
    others: Mapping[Operation, Mapping[str, Provider]],
    *,
    talks: bool,
) -> Target:
    """Return ``target`` with what it can be asked: what its provider has, and its model is for."""
    found = {operation for operation, names in others.items() if target.provider in names}
    found |= TALKS if talks else set()
    return replace(target, operations=frozenset(found if model.operations is None else found & model.operations))
