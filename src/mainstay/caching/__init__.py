"""Whether this was answered before: the exact answer first, one that means the same where a route allows it."""
