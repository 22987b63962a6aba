"""Packet captures to TCP states, and what went wrong."""
