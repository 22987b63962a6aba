"""Bytes to packets: containers, compression, tcpdump text, link layer to TCP header and options."""
