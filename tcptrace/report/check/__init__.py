"""What a check came to, for people, for continuous integration, and for programs."""
