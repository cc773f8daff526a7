"""Adapters to sockets and processes: the HTTP server that runs the ASGI app, the HTTP client that calls upstreams,
and what starts and watches child processes. Nothing here knows a model, a key or a route; the rest of the house meets
it through ports of ``core`` and through plain ASGI.
"""
