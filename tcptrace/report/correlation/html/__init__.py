"""A correlation as one HTML file that asks for nothing else, and can be read without its script."""
