"""Attacks on a model through what it reads: orders to drop its rules, jailbreaks, forged marks, ways out for data."""
