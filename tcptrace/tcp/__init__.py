"""Packets and flows to segments and transitions."""
