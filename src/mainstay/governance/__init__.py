"""What is permitted, what is kept and for how long, and who did what.

The audit log (a chain of events under a signed Merkle tree), content sealed with keys of its tenant, retention, and
what a person may ask for: to see, to take along, to be forgotten.
"""
