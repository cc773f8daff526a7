"""Who is calling: keys, kept as keyed hashes, and the ring every gateway worker holds in memory.

``keyring`` and ``null`` are for workers and load no database; ``service`` is for the control process and the
command line. Nothing is re-exported here, so that each takes only what it needs.
"""
