"""Captures out: frames byte for byte, with what was found written on them."""
