"""Whether a JPEG is whole (ITU T.81), with what phones append to it.

Its own module because a phone's JPEG is seldom only that: a second picture (MPF), a film (motion
photo) or the maker's own data follow its end, and each says in another way how long it is.
"""

import re
from typing import Final

from immich_sync.core.boxes import begins_like_boxes, judge_boxes
from immich_sync.core.types import Completeness
from immich_sync.core.window import TAIL, Window, is_blank

START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_SCAN: Final = 0xDA
_APP1: Final = 0xE1
_APP2: Final = 0xE2
_ALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length
_MPF: Final = b"MPF\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_FILL: Final = 0xFF  # begins every marker, and may stand before it any number of times
_MARKER: Final = 4  # bytes of a marker and the length behind it
_LENGTH: Final = 2  # bytes of the length, which counts itself
# In a picture's data an FF is followed by 00, a restart marker or the next scan's tables.
_PICTURE_DATA: Final = re.compile(rb"\xff(?=[\x00\xd0-\xd7\xc4\xda])")
_SURE: Final = 8  # chance finds: (11/256)^8
_FILM: Final = re.compile(
    rb'MotionPhoto"[^>]{0,400}?Length="(\d{1,12})"|MicroVideoOffset="(\d{1,12})"', re.DOTALL
)


def judge_jpeg(window: Window) -> Completeness:
    """Whether the picture and all that its headers announce behind it are there.

    WHOLE ends with the picture's own end (and has every picture its MPF index lists), with the film
    that its XMP announces, or with Samsung's trailer. CUT ends inside a header, inside picture data
    or in 64 KiB of zeros. Anything else behind the picture leaves it open: UNKNOWN.
    """
    position = len(START)
    pictures_end, film = 0, 0
    while True:
        segment = _segment(window, position)
        if isinstance(segment, Completeness):
            return segment
        kind, start, position = segment
        if kind == _SCAN:
            return _judge_end(window, position, pictures_end, film)
        if kind == _APP2 and window.at(start, len(_MPF)) == _MPF:
            pictures_end = max(pictures_end, _end_of_pictures(window, start, position))
        if kind == _APP1 and window.at(start, len(_XMP)) == _XMP:
            film = film or _length_of_film(window.at(start, position - start))


def _segment(window: Window, position: int) -> tuple[int, int, int] | Completeness:
    """The next segment's marker, where its content begins and ends; or what its absence means."""
    while True:
        marker = window.at(position, 4)
        if len(marker) < _MARKER:
            return Completeness.CUT
        kind, length = marker[1], int.from_bytes(marker[2:], "big")
        if marker[0] == _FILL and kind in _ALONE:
            position += 2
        elif marker[0] == kind == _FILL:
            position += 1
        else:
            break
    if marker[0] != _FILL or kind == _END[1] or length < _LENGTH:
        return Completeness.CUT if is_blank(window.tail(position)) else Completeness.UNKNOWN
    start, end = position + _MARKER, position + 2 + length
    return (kind, start, end) if end <= window.size else Completeness.CUT


def _judge_end(window: Window, scan: int, pictures_end: int, film: int) -> Completeness:
    tail = window.tail(scan)
    if film and _film_is_whole(window, film, scan):
        return Completeness.WHOLE
    if tail.endswith(_END):
        return Completeness.UNKNOWN if film or pictures_end > window.size else Completeness.WHOLE
    if _has_samsung_trailer(tail):
        return Completeness.WHOLE
    everything = window.size - scan <= len(tail)
    if everything and _END not in tail:
        return Completeness.CUT
    if _is_picture_data(tail) or (len(tail) == TAIL and is_blank(tail)):
        return Completeness.CUT
    return Completeness.UNKNOWN


def _is_picture_data(tail: bytes) -> bool:
    """Whether bytes are the middle of a picture: a film or a text would break the rule of FF."""
    allowed = len(_PICTURE_DATA.findall(tail))
    return allowed >= _SURE and allowed + tail.endswith(b"\xff") == tail.count(b"\xff")


def _end_of_pictures(window: Window, start: int, end: int) -> int:
    """Where the last picture that a multi-picture index (CIPA DC-007) lists ends.

    Programs that drop the other pictures leave the index standing: what it lists beyond the file's
    end may be cut off or may never have been there.
    """
    start += len(_MPF)
    body = window.at(start, end - start)
    order: Final = "little" if body[:2] == b"II" else "big"
    directory = int.from_bytes(body[4:8], order)
    count = int.from_bytes(body[directory : directory + 2], order)
    last = 0
    for entry in range(directory + 2, min(directory + 2 + 12 * count, len(body) - 11), 12):
        if int.from_bytes(body[entry : entry + 2], order) != 0xB002:  # noqa: PLR2004 - MPEntry
            continue
        length = int.from_bytes(body[entry + 4 : entry + 8], order)
        table = int.from_bytes(body[entry + 8 : entry + 12], order)
        for item in range(table, min(table + length, len(body) - 15), 16):
            size = int.from_bytes(body[item + 4 : item + 8], order)
            offset = int.from_bytes(body[item + 8 : item + 12], order)
            # The first picture's offset is 0 and counts from the file's start, not from here.
            last = max(last, size + (start + offset if offset else 0))
    return last


def _length_of_film(segment: bytes) -> int:
    """How many bytes of film a motion photo's XMP announces at the file's end (Google); else 0."""
    found = _FILM.search(segment)
    return int(found[1] or found[2]) if found else 0


def _film_is_whole(window: Window, length: int, scan: int) -> bool:
    start = window.size - length
    if start <= scan or not begins_like_boxes(window.at(start, 8)):
        return False
    film = Window(lambda offset, wanted: window.at(start + offset, wanted), length)
    return judge_boxes(film) is Completeness.WHOLE


def _has_samsung_trailer(tail: bytes) -> bool:
    """Whether it ends with Samsung's list of appended data, which is written last: SEFH … SEFT."""
    length = int.from_bytes(tail[-8:-4], "little")
    head = len(tail) - 8 - length
    return tail.endswith(b"SEFT") and head >= 0 and tail[head : head + 4] == b"SEFH"
