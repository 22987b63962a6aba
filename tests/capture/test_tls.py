"""A TLS alert at the start of a payload: bytes in, the column out."""

import pytest

from tests.frames import Decoded, ethernet, ipv4, tcp


def record(kind: int, length: int, version: bytes = b"\3\3") -> bytes:
    return bytes([kind]) + version + length.to_bytes(2) + bytes(length)


@pytest.mark.parametrize(
    ("payload", "alert"),
    [
        (record(21, 2), 1),
        (record(21, 26), 1),
        (record(21, 32, b"\3\0") + b"more", 1),
        (record(21, 26)[:9], 1),
        (record(23, 19), 1),
        (record(23, 19) + b"more", 0),
        (record(23, 20), 0),
        (record(22, 2), 0),
        (record(21, 1), 0),
        (record(21, 81), 0),
        (record(21, 2, b"\2\0"), 0),
        (record(21, 2, b"\3\5"), 0),
        (record(21, 2)[:4], 0),
        (b"\x15", 0),
        (b"", 0),
    ],
)
def test_an_alert_is_known_by_its_record(payload: bytes, alert: int) -> None:
    frame = ethernet(ipv4(tcp(payload)))
    assert [Decoded([frame], compiled=compiled).alert for compiled in (False, True)] == [alert, alert]


def test_nothing_beyond_the_frame_is_read() -> None:
    frame, behind = ethernet(ipv4(tcp(record(21, 2)[:3]))), record(21, 2)[3:]
    assert Decoded([frame + b""], between=behind).alert == 0
