"""The smallest whole JPEG: eight by eight pixels of grey.

Its own module because the sandbox makes no real thumbnails, but what it sends as one must be an
image that any viewer opens.
"""


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


_ONE_CODE = bytes((1, *[0] * 15))  # a Huffman table with a single code, one bit long

TINY_JPEG = b"".join(
    (
        b"\xff\xd8",
        _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        _segment(0xDB, b"\0" + b"\x01" * 64),
        _segment(0xC0, b"\x08\0\x08\0\x08\x01\x01\x11\0"),
        _segment(0xC4, b"\x00" + _ONE_CODE + b"\0"),
        _segment(0xC4, b"\x10" + _ONE_CODE + b"\0"),
        _segment(0xDA, b"\x01\x01\0\0\x3f\0"),
        b"\x3f",  # no difference, end of block, padding
        b"\xff\xd9",
    )
)
