"""The only place that knows everyone: configuration → rooms → line → ASGI application, and the processes around it.

``plan`` says what the supervisor runs, ``worker_main`` is a gateway worker, ``ledger_main`` the process that grants
what may be spent, ``control_main`` the one that owns the database. Workers hold the configuration, the keys and the
line in memory and never touch the database.
"""

from mainstay.app.control import control_main, ledger_main
from mainstay.app.payload import plan
from mainstay.app.worker import worker_main

__all__ = ["control_main", "ledger_main", "plan", "worker_main"]
