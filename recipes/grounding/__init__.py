"""How the verifier of claims was trained: see README.md."""
