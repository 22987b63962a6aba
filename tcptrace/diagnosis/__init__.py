"""Facts of a capture in, findings out: what went wrong, who did it, on what evidence, and what to do."""
