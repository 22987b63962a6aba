"""A flow's handshake in words, and where along the path the capture was taken."""

from collections.abc import Mapping

from tcptrace.report.units import duration
from tcptrace.schema import TAKEN_NEAR

PLACES = {
    "unknown": "",
    "client": "near the client",
    "server": "near the server",
    "between": "between client and server",
}
"""Words for TAKEN_NEAR."""


def halves(flow: Mapping[str, int]) -> str:
    """`348 µs: SYN → SYN-ACK 301 µs | SYN-ACK → ACK 47.0 µs`; `flow` has the columns of Flows."""
    spans = (("SYN → SYN-ACK", flow["syn_to_synack_ns"]), ("SYN-ACK → ACK", flow["synack_to_ack_ns"]))
    told = " | ".join(f"{name} {duration(ns)}" for name, ns in spans if ns >= 0)
    return f"{total(flow)}: {told}" if told else total(flow)


def total(flow: Mapping[str, int]) -> str:
    """`348 µs`, SYN to ACK."""
    return duration(flow["handshake_total_ns"]) if flow["handshake_total_ns"] >= 0 else "not seen whole"


def place(taken_near: int) -> str:
    """`near the client`; `taken_near` is an index into TAKEN_NEAR."""
    return PLACES[TAKEN_NEAR[taken_near]]
