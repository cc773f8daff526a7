"""Models that are bought, or run elsewhere: one codec per wire dialect, one provider behind HTTP for all of them."""
