"""A flow's handshake in words, and where its halves say that the capture was taken."""

from collections.abc import Mapping

from tcptrace.report.units import duration

NEAR = 10
"""A half below one part in so many of the handshake is that of the end the capture was taken near."""


def halves(flow: Mapping[str, int]) -> str:
    """`348 µs: SYN → SYN-ACK 301 µs | SYN-ACK → ACK 47.0 µs`; `flow` has the columns of Flows."""
    spans = (("SYN → SYN-ACK", flow["syn_to_synack_ns"]), ("SYN-ACK → ACK", flow["synack_to_ack_ns"]))
    told = " | ".join(f"{name} {duration(ns)}" for name, ns in spans if ns >= 0)
    return f"{total(flow)}: {told}" if told else total(flow)


def total(flow: Mapping[str, int]) -> str:
    """`348 µs`, SYN to ACK."""
    return duration(flow["handshake_total_ns"]) if flow["handshake_total_ns"] >= 0 else "not seen whole"


def place(flow: Mapping[str, int]) -> str:
    """Where along the path: SYN to SYN-ACK is the way to the server and back, SYN-ACK to ACK the one to the client.

    Empty where a half is unknown, or holds the wait for a SYN or SYN-ACK that was sent again.
    """
    server_half, client_half = flow["syn_to_synack_ns"], flow["synack_to_ack_ns"]
    repeated = flow["client_syns"] > 1 or flow["server_syns"] > 1
    if min(server_half, client_half) < 0 or server_half + client_half == 0 or repeated:
        return ""
    whole = server_half + client_half
    near = "near the client" if client_half * NEAR < whole else "near the server" if server_half * NEAR < whole else ""
    return near or "between client and server"
