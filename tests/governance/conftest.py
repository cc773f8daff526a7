"""Fixtures of this directory."""

from support.database import engine, home

__all__ = ["engine", "home"]
