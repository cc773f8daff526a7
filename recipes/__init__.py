"""Recipes: how the weights that Mainstay ships were trained."""
