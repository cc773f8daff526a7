"""The port that gRPC listens on: one in each worker, all of them the same."""

from typing import Any, Final

import grpc
import grpc.aio

from mainstay.api.grpc.service import InferenceService
from mainstay.core.errors import StartError

__all__ = ["GrpcListener"]

#: Seconds of silence after which a connection is asked whether it lives; clients may ask as often.
_KEEPALIVE: Final = 60


class GrpcListener:
    """Serves the Open Inference Protocol in the loop it is started in.

    Args:
        service: what the methods do.
        max_message: bytes of the largest request.
    """

    def __init__(self, service: InferenceService, max_message: int) -> None:
        self._service = service
        self._max_message = max_message
        self._server: Any = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port.

        Raises:
            StartError: the address is taken, or is none.
        """
        server = grpc.aio.server(
            options=(
                # The kernel shares new connections out among the workers.
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", self._max_message),
                ("grpc.max_send_message_length", -1),
                ("grpc.keepalive_time_ms", _KEEPALIVE * 1000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            )
        )
        server.add_generic_rpc_handlers((self._service.handler(),))
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound: int = server.add_insecure_port(address)
        except RuntimeError as error:
            raise StartError(
                f"gRPC cannot listen on {address}; is the port in use? Choose another grpc.port."
            ) from error
        await server.start()
        self._server = server
        return bound

    async def drain(self, grace: float) -> None:
        """Take no more calls, and wait ``grace`` seconds for those under way."""
        if self._server is not None:
            await self._server.stop(grace)
