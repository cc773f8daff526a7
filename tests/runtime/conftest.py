"""Fixtures of this directory."""

from support.supervised import start

__all__ = ["start"]
