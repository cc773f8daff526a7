"""Mainstay runs language models in production: one endpoint, every model, one record of every call."""

__version__ = "0.1.0"

__all__ = ["__version__"]
