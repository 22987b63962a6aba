"""Results to words: console, JSON, CSV, Markdown."""
