"""Whether a photo or video is whole, is cut off, or it cannot be told.

Its own module because settling rests on this one answer: whole may go at once, cut off waits, and
for the rest only time tells. What a file is, is read in the file; its name is a hint.
"""

from typing import Final

from immich_sync.core import boxes
from immich_sync.core.jpeg import START as JPEG
from immich_sync.core.jpeg import judge_jpeg
from immich_sync.core.media import extension_of
from immich_sync.core.types import Completeness
from immich_sync.core.window import (
    BYTES,
    READS,
    TAIL,
    LookedEnough,
    ReadAt,
    Window,
    is_blank,
)

__all__ = ["BYTES", "READS", "Completeness", "ReadAt", "content_identifier", "judge"]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_HEAD: Final = 16
# Names of files that begin with a signature: one without any has not been written yet.
_SIGNED: Final = frozenset(
    b"jpg jpeg jpe png webp gif heic heif hif avif mp4 mov m4v 3gp 3gpp cr3".split()
)


def judge(read: ReadAt, size: int, name: bytes) -> Completeness:
    """Whether a file of `size` bytes is all there.

    It costs `READS` reads and `BYTES` bytes at most. Known: JPEG, PNG, WebP, MP4, MOV, M4V, 3GP,
    HEIC, HEIF, AVIF, CR3. WHOLE and CUT are said only on evidence; RAW files made of TIFF, GIF and
    all others are UNKNOWN. An empty file is CUT. Never raises on any bytes; errors of `read` itself
    pass through.
    """
    try:
        return _judge(Window(read, size), extension_of(name))
    except LookedEnough:
        return Completeness.UNKNOWN


def content_identifier(read: ReadAt, size: int, name: bytes) -> str | None:
    """The identifier that a MOV shares with its live photo's still; None for any other file.

    Bounded as `judge` is, and never raises on any bytes.
    """
    if extension_of(name) not in (b"mov", b"mp4"):
        return None
    return boxes.content_identifier(read, size)


def _judge(window: Window, extension: bytes) -> Completeness:
    head = window.at(0, _HEAD)
    if head.startswith(JPEG):
        return judge_jpeg(window)
    if head.startswith(_PNG):
        return _judge_png(window)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _judge_webp(window, 8 + int.from_bytes(head[4:8], "little"))
    if boxes.begins_like_boxes(head):
        return boxes.judge_boxes(window)
    unwritten = window.size < _HEAD or is_blank(head)
    if window.size == 0 or (unwritten and extension in _SIGNED):
        return Completeness.CUT
    return Completeness.UNKNOWN


def _judge_png(window: Window) -> Completeness:
    """Whether the last chunk is there (ISO 15948); something appended to it leaves it open."""
    tail = window.tail()
    if tail.endswith(_PNG_END):
        return Completeness.WHOLE
    if _PNG_END in tail:
        return Completeness.UNKNOWN
    position = len(_PNG)
    while position < window.size:
        header = window.at(position, 8)
        if header[4:] == b"IEND":
            return Completeness.UNKNOWN
        if not header[4:].isalpha():
            unwritten = len(header) < 8 or is_blank(header)  # noqa: PLR2004 - length and type
            return Completeness.CUT if unwritten else Completeness.UNKNOWN
        position += 12 + int.from_bytes(header[:4], "big")
    return Completeness.CUT


def _judge_webp(window: Window, announced: int) -> Completeness:
    """Whether it is as long as its header says (RIFF), and not merely set aside at that length."""
    tail = window.tail()
    if window.size < announced or (len(tail) == TAIL and is_blank(tail)):
        return Completeness.CUT
    if window.size > announced + announced % 2 or is_blank(tail[-_HEAD:]):
        return Completeness.UNKNOWN
    return Completeness.WHOLE
