"""zstd data, cut anywhere: known for whole or cut, and read as far as the library can decode it."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.capture.decompress import DamageError, Decompressed
from tcptrace.capture.zstd_frames import ZstdFrames

zstandard = pytest.importorskip("zstandard")

SKIPPABLE = st.builds(
    lambda kind, body: bytes([0x50 + kind]) + b"\x2a\x4d\x18" + len(body).to_bytes(4, "little") + body,
    st.integers(0, 15),
    st.binary(max_size=20),
)
CONTENT = st.one_of(st.binary(max_size=600), st.builds(bytes.__mul__, st.binary(max_size=9), st.integers(0, 60_000)))


@st.composite
def frame(draw: st.DrawFn) -> bytes:
    """A frame of some blocks, some flushed early, that may say its size and its checksum."""
    compressor = zstandard.ZstdCompressor(
        level=draw(st.sampled_from([-5, 1, 19])),
        write_checksum=draw(st.booleans()),
        write_content_size=draw(st.booleans()),
    )
    parts = draw(st.lists(CONTENT, max_size=3))
    if draw(st.booleans()):
        return bytes(compressor.compress(b"".join(parts)))
    squeeze = compressor.compressobj()
    blocks = [squeeze.compress(part) + squeeze.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for part in parts]
    return b"".join(blocks) + bytes(squeeze.flush())


FRAMES = st.lists(st.one_of(frame(), SKIPPABLE), min_size=1, max_size=4)


@given(FRAMES, st.data())
def test_data_is_whole_where_a_frame_ends(parts: list[bytes], data: st.DataObject) -> None:
    ends = [sum(map(len, parts[:count])) for count in range(len(parts) + 1)]
    cuts = sorted(data.draw(st.lists(st.one_of(st.integers(0, ends[-1]), st.sampled_from(ends)), max_size=20)))
    frames = ZstdFrames()
    for before, cut in zip([0, *cuts], cuts, strict=False):
        frames.follow(b"".join(parts)[before:cut])
        assert frames.whole == (cut in ends)


@given(frame(), st.data())
def test_all_that_can_be_decoded_is_read(whole: bytes, data: st.DataObject) -> None:
    cut = whole[: data.draw(st.integers(4, len(whole)))]
    start = cut[:4]
    stream = Decompressed("zstd", io.BytesIO(cut[4:]), start)
    got, complete = b"", False
    room = memoryview(bytearray(1 << 20))
    try:
        while count := stream.readinto(room):
            got += bytes(room[:count])
        complete = True
    except DamageError:
        pass
    assert got == zstandard.ZstdDecompressor().decompressobj().decompress(cut)
    assert complete == (cut == whole)
