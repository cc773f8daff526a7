"""Which model should answer: choose a target, and go on to the next when it fails before it answered."""
