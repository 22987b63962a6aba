"""Captures as tests: what a case expects, what its captures show, the verdict, and what is already known."""
