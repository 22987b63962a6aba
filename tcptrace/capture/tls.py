"""A TLS alert at the start of a segment: by it a side closes, or refuses, before TCP does (a kernel module).

Encrypted or not, TLS up to 1.2 gives alerts a record type of their own (RFC 5246 section 6.2.1). TLS 1.3 calls all
it encrypts application data; its alerts are known by their length alone: level, description, type and tag.
"""

from tcptrace.schema import U8

ALERT = 21
APPLICATION_DATA = 23
HEADER_LEN = 5  # type, version, length
VERSION = 3  # the first byte of it, from SSL 3.0 to TLS 1.3
MINOR_MAX = 4
ALERT_LEN = 2
ENCRYPTED_MAX = 80  # with padding, explicit IV and the longest MAC (CBC, SHA-384)
HIDDEN_LEN = 19  # RFC 8446 section 5.2: two bytes, the type, a tag of 16
HIDDEN_ALERT_LEN = HEADER_LEN + HIDDEN_LEN


def is_alert(buffer: U8, at: int, limit: int) -> int:
    """1: the record that begins at `at` is an alert."""
    if at + HEADER_LEN > limit or buffer[at + 1] != VERSION or buffer[at + 2] > MINOR_MAX:
        return 0
    length = buffer[at + 3] * 0x100 + buffer[at + 4]
    if buffer[at] == ALERT:
        return 1 if ALERT_LEN <= length <= ENCRYPTED_MAX else 0
    return 1 if buffer[at] == APPLICATION_DATA and length == HIDDEN_LEN else 0
