"""How the weights of the cache's verifier were made."""
