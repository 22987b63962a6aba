"""Flows of many captures → connections: which flows are one conversation, its path, its clocks, its losses."""
