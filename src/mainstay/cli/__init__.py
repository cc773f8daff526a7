"""The command line: one verb per room. Each file holds one verb; ``main`` only puts them together."""
