"""Thin endpoints: one file per dialect, and the ASGI application that finds them."""
