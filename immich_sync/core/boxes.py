"""Files made of boxes (ISO 14496-12): MP4, MOV, M4V, 3GP, HEIC, HEIF, AVIF, CR3.

Its own module because one walk over boxes serves both questions asked of such a file: is it whole,
and which live photo does it belong to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from immich_sync.core.types import Completeness
from immich_sync.core.window import LookedEnough, ReadAt, Window, is_blank

_FIRST: Final = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_IMAGE_BRANDS: Final = frozenset(
    b"heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1 avif avis".split()
)
# A box of one of these types is no chance find in bytes that some camera appended.
_CERTAIN: Final = frozenset(b"ftyp moov mdat meta moof uuid mfra sidx styp mpvd idat".split())
_FILLER: Final = frozenset((b"free", b"skip", b"wide"))
_HEADER: Final = 8
_END: Final = 16  # so many zeros in a row stand in no compressed picture
_KEY: Final = b"mdtacom.apple.quicktime.content.identifier"
_LONGEST: Final = 128  # of an identifier; Apple writes 36 characters
_TABLE: Final = 64 * 1024  # bytes of metadata looked at


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its four-letter type, where its content begins and where it ends (may lie outside)."""

    kind: bytes
    start: int
    end: int
    open: bool = False  # its size is 0: it says that it goes on to the end, wherever that is


def begins_like_boxes(head: bytes) -> bool:
    """Whether a file's first bytes are a box's header."""
    return head[4:8] in _FIRST


def boxes(window: Window, start: int, end: int) -> Iterator[Box | None]:
    """The boxes between two offsets; ends with None where no box's header can be read.

    Each box is larger than 0 bytes and the window's budget is finite, so this ends on any bytes.
    """
    position = start
    while position < end:
        header = window.at(position, _HEADER)
        size = int.from_bytes(header[:4], "big")
        content = position + _HEADER
        if size == 0 and not is_blank(header):
            yield Box(header[4:], content, end, open=True)
            return
        if size == 1:
            size = int.from_bytes(window.at(content, 8), "big")
            content += 8
        if len(header) < _HEADER or size < content - position:
            yield None
            return
        yield Box(header[4:], content, position + size)
        position += size


def judge_boxes(window: Window) -> Completeness:
    """Whether every box is there, and what the kind of file needs: an index and the pictures.

    A box cut off is CUT if its type is one that means something; a file without an index (`moov`,
    or `meta` in a picture) that ends between two boxes, or in zeros, is CUT too, since nothing can
    play it. Fragments (`moof`) may always be followed by another: UNKNOWN, unless their index
    (`mfra`) ends the file. Zeros where pictures should end are space that was set aside: UNKNOWN.
    """
    wanted = _index_wanted(window)
    seen: dict[bytes, Box] = {}  # the last of each kind: there may be thousands, walked once
    last = Box(b"", 0, 0)
    for box in boxes(window, 0, window.size):
        indexed = not wanted.isdisjoint(seen)
        if box is None:
            # Zeros or a stray byte behind a file that has all it needs: some cameras pad.
            rest = window.at(last.end, _END)
            unwritten = is_blank(rest) or len(rest) < _HEADER
            return Completeness.CUT if unwritten and not indexed else Completeness.UNKNOWN
        if box.open:
            found = indexed or box.kind in wanted or box.kind not in _CERTAIN
            return Completeness.UNKNOWN if found else Completeness.CUT
        if box.end > window.size:
            return Completeness.CUT if box.kind in _CERTAIN else Completeness.UNKNOWN
        seen[box.kind] = last = box
    if wanted.isdisjoint(seen):
        return Completeness.CUT
    return Completeness.WHOLE if _is_written(window, seen, last) else Completeness.UNKNOWN


def _index_wanted(window: Window) -> frozenset[bytes]:
    """The types of which one must be there: a picture's index, or a film's."""
    first = next(boxes(window, 0, window.size))
    if first is not None and first.kind == b"ftyp":
        brands = window.at(first.start, min(first.end - first.start, 256))
        if _IMAGE_BRANDS & {brands[i : i + 4] for i in range(0, len(brands), 4)}:
            return frozenset((b"meta", b"moov"))
    return frozenset((b"moov",))


def _is_written(window: Window, seen: dict[bytes, Box], last: Box) -> bool:
    """Whether pictures are there, are the last that can come, and end in no zeros; nor the file."""
    if b"mdat" not in seen or (b"moof" in seen and last.kind != b"mfra"):
        return False
    ends = [seen[b"mdat"]] if last.kind in _FILLER else [seen[b"mdat"], last]
    return not any(is_blank(_ending(window, box)) for box in ends)


def _ending(window: Window, box: Box) -> bytes:
    start = max(box.start, box.end - _END)
    return window.at(start, box.end - start)


def content_identifier(read: ReadAt, size: int) -> str | None:
    """The identifier that the motion part of a live photo shares with its still, or None.

    Apple writes it into a MOV's `moov/meta`, as `com.apple.quicktime.content.identifier` (QuickTime
    File Format, "Metadata"). Never raises on any bytes; errors of `read` itself pass through.
    """
    window = Window(read, size)
    try:
        for box in boxes(window, 0, size):
            if box is not None and box.kind == b"moov":
                return _identifier(window, box)
    except LookedEnough:
        pass
    return None


def _identifier(window: Window, moov: Box) -> str | None:
    meta = _child(window, moov.start, moov.end, b"meta")
    if meta is None:
        return None
    # QuickTime's `meta` holds boxes at once, ISO's has four bytes of version before them.
    start = meta.start if window.at(meta.start + 4, 4) == b"hdlr" else meta.start + 4
    keys = _child(window, start, meta.end, b"keys")
    items = _child(window, start, meta.end, b"ilst")
    if keys is None or items is None:
        return None
    number = _number_of_key(window.at(keys.start, min(keys.end - keys.start, _TABLE)))
    item = number and _child(window, items.start, items.end, number.to_bytes(4, "big"))
    value = item and _child(window, item.start, item.end, b"data")
    if not value or not _HEADER < value.end - value.start <= _HEADER + _LONGEST:
        return None
    text = window.at(value.start + _HEADER, value.end - value.start - _HEADER)
    identifier = text.decode("ascii", "replace")
    return identifier if identifier.isascii() and identifier.isprintable() else None


def _child(window: Window, start: int, end: int, kind: bytes) -> Box | None:
    inside = boxes(window, start, min(end, window.size))
    return next((box for box in inside if box is not None and box.kind == kind), None)


def _number_of_key(table: bytes) -> int | None:
    """Which entry of a `keys` box (counted from 1) names the identifier."""
    position, number = 8, 1
    while position + _HEADER <= len(table):
        length = int.from_bytes(table[position : position + 4], "big")
        if length < _HEADER:
            return None
        if table[position + 4 : position + length] == _KEY:
            return number
        position, number = position + length, number + 1
    return None
