"""What an answer rests on: knowledge bases with versions, corrections that hold at once, citations, and verdicts."""
