"""Models that are ours: each runs in a supervised child process and is spoken to over its own private socket."""
