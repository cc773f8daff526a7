"""Whole-system benchmarks of Mainstay beside its peers: one load generator, one upstream, one table of ratios.

Stands outside the package it measures and imports nothing of it: every gateway, ours too, is a process that is
started, loaded over a socket and stopped. Run it with ``python -m bench``; README.md says how to read the table.
"""
