"""The systems that are measured, each one file: the upstream itself, nginx, the competitors, and Mainstay."""

from collections.abc import Callable

from bench.peers.direct import Direct
from bench.peers.litellm import LiteLLM
from bench.peers.mainstay import Mainstay
from bench.peers.nginx import Nginx
from bench.peers.port import Endpoint, Peer, Running, Upstreams
from bench.peers.portkey import Portkey
from bench.peers.smg import Smg

__all__ = ["PEERS", "Endpoint", "Peer", "Running", "Upstreams"]

PEERS: dict[str, Callable[[], Peer]] = {
    "direct": Direct,
    "nginx": Nginx,
    "mainstay": Mainstay,
    "smg": Smg,
    "portkey": Portkey,
    "litellm": LiteLLM,
}
