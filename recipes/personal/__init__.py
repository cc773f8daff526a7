"""How the model of names and the lists of ``mainstay.guardrails.personal`` are made; see ``README.md``."""
