"""How the weights of Mainstay's own guards were made. Read README.md beside this file first."""
