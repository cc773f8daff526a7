"""The page of vendors, from the rows that come with Mainstay: one heading each.

Used by ``generate.py``.
"""

from collections.abc import Iterator

from mainstay.core.target import Feature, Operation
from mainstay.providers.vendors import TaskRow, VendorRow, packaged_names, packaged_row

__all__ = ["vendors_page"]

_HEAD = """# Vendors

Each of these names is a `kind` of provider:

```yaml
providers:
  groq: {kind: groq, api_key: "${GROQ_API_KEY}"}
  azure: {kind: azure, api_key: "${AZURE_OPENAI_API_KEY}", parameters: {resource: contoso}}
  gpu: {kind: vllm, base_url: "http://10.0.0.7:8000/v1"}

models:
  llama: {provider: groq, name: llama-3.3-70b-versatile}
  gpt: {provider: azure, name: my-deployment}
  qwen: {provider: gpu, name: Qwen/Qwen3-8B}
```

A vendor's row says where it is, how it wants its key, and where its wire differs. What it refuses, or takes and
ignores, is a 400 `unsupported_by_model` with the field named, before anything is sent; a route then asks its next
model. *Can* lists what at least one of its models can do: all other [features](config.md#features) count as lacking,
and a request that needs one is refused alike. `can` of a provider adds to the row, `lacks` of a provider or a model
takes away. *Also* lists what a vendor has [besides conversations](../providers.md#what-else-a-provider-has).

The rows were written from documentation, reports and experience, not from calls to each vendor; vendors change. Where
one is wrong, `can` and `lacks` of a provider or a model put it right. A row of your own, also one that takes the place
of one below, goes under [`vendors`](config.md#vendors).

| name | vendor | wire |
|---|---|---|
"""
_MEANINGS = {
    "context": "the prompt is too long",
    "filter": "content filter",
    "quota": "no credit",
    "credential": "bad key",
    "rate": "rate limit",
    "overloaded": "overloaded",
    "failed": "failure",
    "refused": "refused request",
}


def vendors_page() -> str:
    """Every packaged row: address, key, differences, abilities, notes."""
    rows = {name: packaged_row(name) for name in packaged_names()}
    table = [f"| [`{name}`](#{name}) | {row.title} | `{row.wire}` |\n" for name, row in rows.items()]
    return "".join([_HEAD, *table, *(_entry(name, row) for name, row in rows.items())])


def _entry(name: str, row: VendorRow) -> str:
    facts = "".join(f"- {fact}\n" for fact in _facts(row))
    return f"\n## {name}\n\n{row.title}: <{row.docs}>\n\n{facts}\n{' '.join(row.notes.split())}\n"


def _facts(row: VendorRow) -> Iterator[str]:
    yield f"Wire: `{row.wire}`" + (f"; path `{row.path}`" if row.path is not None else "")
    yield f"Address: `{row.base_url}`"
    if row.parameters:
        yield "Parameters: " + ", ".join(
            f"`{word}`" + (f" (`{value}`)" if value else " (required)") for word, value in row.parameters.items()
        )
    yield f"Key: {_key(row)}"
    if row.headers:
        yield "Headers: " + ", ".join(f"`{header}: {value}`" for header, value in row.headers.items())
    if not row.talks:
        yield "No conversations"
    others = [operation for operation in Operation if operation in row.offers or operation in row.paths]
    if others:
        places = {operation: f" at `{path}`" for operation, path in row.paths.items()}
        yield "Also: " + ", ".join(f"`{operation}`{places.get(operation, '')}" for operation in others)
    if not row.base64:
        yield "Embeddings: as numbers only, turned into base64 here"
    if row.can:
        yield "Can: " + _words([feature for feature in Feature if feature in row.can])
    if row.limit != "either":
        yield f"Limit of tokens: `{row.limit}`"
    if row.rejects:
        yield "Refuses: " + _words(row.rejects)
    if row.renames:
        yield "Calls otherwise: " + ", ".join(f"`{ours}` is `{theirs}`" for ours, theirs in row.renames.items())
    left_out = (["`stream_options`"] if not row.stream_options else []) + (["nulls"] if row.drops_null else [])
    if left_out:
        yield "Left out: " + ", ".join(left_out)
    for operation in others:
        if operation in row.tasks:
            yield f"Of `{operation}`: " + "; ".join(_differences(row.tasks[operation]))
    if row.tool_id_length is not None:
        yield f"Ids of tool calls: {row.tool_id_length} letters and digits"
    if row.usage:
        yield "Usage also in: " + _words(row.usage)
    if row.reasoning:
        yield f"Reasoning in: `{row.reasoning}`"
    if row.finish_reasons:
        yield "Ends: " + ", ".join(f"`{theirs}` is `{ours}`" for theirs, ours in row.finish_reasons.items())
    if row.error_code is not None:
        yield f"Errors under status 200: by `{row.error_code}`"
    if row.errors:
        yield "Codes of errors: " + "; ".join(
            f"{_words([code for code, found in row.errors.items() if found == meaning])} {words}"
            for meaning, words in _MEANINGS.items()
            if meaning in row.errors.values()
        )


def _differences(row: TaskRow) -> Iterator[str]:
    if row.rejects:
        yield "refuses " + _words(row.rejects)
    if row.renames:
        yield ", ".join(f"calls `{ours}` `{theirs}`" for ours, theirs in row.renames.items())
    if row.drops_null:
        yield "nulls are left out"


def _key(row: VendorRow) -> str:
    if row.auth == "none":
        return "none"
    how = {"header": f"in the header `{row.key_header}`", "bearer": "as a bearer token"}.get(row.auth)
    how = how or {"anthropic": "in the header `x-api-key`", "gemini": "in the header `x-goog-api-key`"}.get(row.wire)
    how = how or "as a bearer token"
    usual = f", usually in `{row.environment}`" if row.environment else ""
    return f"{how}{usual}" + (", if it wants one" if row.key == "optional" else "")


def _words(words: tuple[str, ...] | list[Feature] | list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
