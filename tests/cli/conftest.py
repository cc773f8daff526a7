"""Fixtures of this directory."""

from support.command import command
from support.database import engine, home

__all__ = ["command", "engine", "home"]
