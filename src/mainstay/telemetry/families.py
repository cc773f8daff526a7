"""Every metric there is: its name, kind, help, labels and buckets.

Names and buckets follow the OpenTelemetry conventions (v1.41.1) in their Prometheus spelling. ``metrics`` counts them.
"""

import msgspec

__all__ = ["FAMILIES", "Family"]

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**n) for n in range(14))
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_OVERHEAD = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_GEN_AI = (
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_response_model",
    "server_address",
    "server_port",
)


class Family(msgspec.Struct, frozen=True):
    """One metric: its Prometheus name, kind, help, label names and, for a histogram, its bucket bounds."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "gen_ai_client_operation_duration_seconds",
            "histogram",
            "Duration of a call of a model, as the caller of the upstream saw it (gen_ai.client.operation.duration).",
            (*_GEN_AI, "error_type"),
            _SECONDS,
        ),
        Family(
            "gen_ai_client_token_usage",
            "histogram",
            "Tokens per call by type, as the provider reported them (gen_ai.client.token.usage).",
            (*_GEN_AI, "gen_ai_token_type"),
            _TOKENS,
        ),
        Family(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "histogram",
            "From sending a streamed call to its first content (gen_ai.client.operation.time_to_first_chunk).",
            _GEN_AI,
            _SECONDS,
        ),
        Family(
            "gen_ai_client_operation_time_per_output_chunk_seconds",
            "histogram",
            "Mean time between content events of a stream (gen_ai.client.operation.time_per_output_chunk).",
            _GEN_AI,
            _SECONDS,
        ),
        Family(
            "http_server_request_duration_seconds",
            "histogram",
            "Duration of HTTP requests, from the first byte read to the answer's end (http.server.request.duration).",
            ("http_request_method", "http_route", "http_response_status_code", "url_scheme", "error_type"),
            _HTTP_SECONDS,
        ),
        Family(
            "mainstay_overhead_seconds",
            "histogram",
            "Mainstay's own part of a call, counted from the socket; waiting for upstreams taken out.",
            ("route",),
            _OVERHEAD,
        ),
        Family(
            "mainstay_attempts_total",
            "counter",
            "Upstream calls by provider, model, cause (first, retry, fallback, hedge, last_resort, reask, reword, "
            "tools) and outcome (ok or an error code).",
            ("provider", "model", "cause", "outcome"),
        ),
        Family(
            "mainstay_rail_verdicts_total",
            "counter",
            "Verdicts of rails by outcome: passed, failed, or what was done or, in monitor mode, would have been.",
            ("route", "rail", "outcome"),
        ),
        Family(
            "mainstay_cache_lookups_total",
            "counter",
            "Calls of routes with a cache by what came of it: hit, semantic (the same in other words) or miss.",
            ("route", "result"),
        ),
        Family("mainstay_cache_memory_bytes", "gauge", "Kept answers in the memory of each worker.", ("worker",)),
        Family(
            "mainstay_cache_disk_bytes", "gauge", "Kept answers on disk, as each worker last found it.", ("worker",)
        ),
        Family(
            "mainstay_cache_evictions_total",
            "counter",
            "Kept answers that had to go for others, by where they were: memory or disk.",
            ("tier",),
        ),
        Family(
            "mainstay_cache_semantic_state",
            "gauge",
            "The semantic cache of a route: 0 proves itself, 1 gives hits, 2 is switched off.",
            ("worker", "route"),
        ),
        Family(
            "mainstay_cache_semantic_entries",
            "gauge",
            "Questions whose meaning a worker knows, their answers being kept.",
            ("worker", "route"),
        ),
        Family(
            "mainstay_cache_semantic_compared",
            "gauge",
            "Hits of the semantic cache that were answered anew and compared, in all workers, since it began.",
            ("worker", "route"),
        ),
        Family(
            "mainstay_cache_semantic_disagreements",
            "gauge",
            "Of those compared, hits whose kept answer said something else.",
            ("worker", "route"),
        ),
        Family(
            "mainstay_cache_semantic_error_upper_bound",
            "gauge",
            "The share of wrong hits of the semantic cache is at most this, with the route's confidence.",
            ("worker", "route"),
        ),
        Family(
            "mainstay_cache_semantic_shadows_total",
            "counter",
            "Hits of the semantic cache for which a model was asked all the same.",
            ("route",),
        ),
        Family(
            "mainstay_cache_semantic_stopped_total",
            "counter",
            "Near questions that were not taken for the same, by what kept them out.",
            ("route", "gate"),
        ),
        Family("mainstay_rail_seconds", "histogram", "Time a rail took, a call and place.", ("rail",), _OVERHEAD),
        Family("mainstay_records_total", "counter", "Records written to the journal.", ("outcome",)),
        Family("mainstay_records_dropped_total", "counter", "Records that could not be written; must stay 0."),
        Family(
            "mainstay_budget_used_ratio",
            "gauge",
            "Part of each budget that is spent or held in its present period; of rows with `per`, of each member.",
            ("budget", "member"),
        ),
        Family("mainstay_budget_limit_usd", "gauge", "Limit of each budget in US dollars.", ("budget", "member")),
        Family(
            "mainstay_budget_overdrafts_total",
            "counter",
            "Calls that cost more than was reserved for them; must stay 0.",
            ("worker",),
        ),
        Family(
            "mainstay_unpriced_attempts_total",
            "counter",
            "Upstream calls whose price, or a part of it, nobody knows; must stay 0.",
            ("worker",),
        ),
        Family(
            "mainstay_cost_usd_total",
            "counter",
            "What upstream calls have cost, in US dollars; exact amounts are in the ledger.",
            ("provider", "model"),
        ),
        Family(
            "mainstay_model_changes_total",
            "counter",
            "Times a provider named another version or `system_fingerprint` than for the call before.",
            ("model",),
        ),
        Family("mainstay_responses_unkept_total", "counter", "Responses that were answered and could not be kept."),
        Family("mainstay_records_loaded_total", "counter", "Records loaded from the journals into the database."),
        Family("mainstay_records_rejected_total", "counter", "Journal lines that could not be read."),
        Family("mainstay_journal_lag_bytes", "gauge", "Bytes of journal not yet in the database."),
        Family(
            "mainstay_breaker_state",
            "gauge",
            "Circuit breaker of each model in each worker: 0 closed, 1 half-open, 2 open.",
            ("worker", "model"),
        ),
        Family("mainstay_breaker_opens_total", "counter", "Times a circuit breaker has opened.", ("worker", "model")),
        Family(
            "mainstay_probes_total",
            "counter",
            "Probes: tiny calls made to see whether an upstream is well, by outcome (ok or an error code).",
            ("model", "outcome"),
        ),
        Family(
            "mainstay_upstream_throttled_seconds",
            "gauge",
            "Seconds for which the upstream itself wants no call (its retry-after).",
            ("worker", "model"),
        ),
        Family(
            "mainstay_credential_refused_seconds",
            "gauge",
            "Seconds for which a model is left alone because its vendor refused the key.",
            ("worker", "model"),
        ),
        Family("mainstay_upstream_in_flight", "gauge", "Upstream calls under way.", ("worker", "model")),
        Family("mainstay_upstream_limit", "gauge", "Upstream calls allowed at the same time.", ("worker", "model")),
        Family("mainstay_upstream_waiting", "gauge", "Calls that wait for room at an upstream.", ("worker", "model")),
        Family("mainstay_batch_rows_total", "counter", "Rows of batches that are done, expired too.", ("outcome",)),
        Family("mainstay_batch_rows_in_flight", "gauge", "Rows of batches that are asked now."),
        Family("mainstay_batches_unfinished", "gauge", "Batches that are not finished."),
        Family("mainstay_batch_oldest_waiting_seconds", "gauge", "Age of the oldest batch that nobody works on, or 0."),
        Family(
            "mainstay_knowledge_oldest_source_seconds",
            "gauge",
            "How long ago the source of a knowledge base that was longest not read whole was read whole.",
            ("base",),
        ),
        Family(
            "mainstay_knowledge_stale_documents",
            "gauge",
            "Documents of a knowledge base that are past their limit.",
            ("base",),
        ),
        Family("mainstay_requests_in_flight", "gauge", "Requests being served."),
        Family("mainstay_event_loop_lag_seconds", "gauge", "How late each worker's timer last ran.", ("worker",)),
        Family("mainstay_worker_resident_memory_bytes", "gauge", "Resident memory of each worker.", ("worker",)),
        Family("mainstay_keys_version", "gauge", "Changes of the keys that each worker knows of.", ("worker",)),
        Family("mainstay_config_info", "gauge", "1 for the configuration in force.", ("worker", "hash")),
    )
}
