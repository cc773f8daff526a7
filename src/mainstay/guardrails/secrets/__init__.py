"""Secrets in a text: credentials by the form that their vendors gave them, passwords by where they stand, private keys.

Rules are rows; what they find is held against chance and words, so that names and hashes in code are left alone.
"""

from mainstay.guardrails.secrets.rules import Rule, all_rules
from mainstay.guardrails.secrets.scanner import KeyBlocks, SecretScanner

__all__ = ["KeyBlocks", "Rule", "SecretScanner", "all_rules"]
