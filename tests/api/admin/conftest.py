"""Fixtures of this directory."""

from support.admin import building, desk

__all__ = ["building", "desk"]
