"""Which names are photos, videos and sidecars, which belong together, and which are passed over.

Its own module because everything that sees a name asks here, and only here, what it is.
"""

from collections.abc import Container, Iterable, Mapping
from enum import Enum, auto
from functools import cache
from itertools import product

from immich_sync.core.ignore import (
    HIDDEN,
    NOMEDIA,
    RULES,
    Rule,
    ignored_by,
    ignored_name,
)
from immich_sync.core.patterns import IgnorePatterns, compile_ignore

__all__ = [
    "BUILT_IN",
    "HIDDEN",
    "NOMEDIA",
    "RULES",
    "IgnorePatterns",
    "Kind",
    "Rule",
    "compile_ignore",
    "extension_of",
    "ignored_by",
    "ignored_name",
    "kind_of",
    "media_types",
    "motion_of",
    "sidecar_of",
    "still_of",
]


class Kind(Enum):
    """What a name stands for."""

    IMAGE = auto()
    RAW = auto()  # an image as the sensor saw it
    VIDEO = auto()
    SIDECAR = auto()  # travels with an asset, is none itself


_RAW = frozenset(
    b"3fr ari arw cap cin cr2 cr3 crw dcr dng erf fff iiq k25 kdc mrw nef nrw orf ori pef psd raf"
    b" raw rw2 rwl sr2 srf srw x3f".split()
)
_IMAGE = b"avif bmp gif jpeg jpg png webp heic heif hif insp jp2 jpe jxl mpo svg tif tiff".split()
_VIDEO = (
    b"3gp 3gpp avi flv insv m2t m2ts m4v mkv mov mp4 mpe mpeg mpg mts mxf ts vob webm wmv".split()
)


def media_types(image: Iterable[bytes], video: Iterable[bytes]) -> Mapping[bytes, Kind]:
    """The kind of each extension (lower case, without its dot), for a server's list of types.

    Dots and upper case are taken off; RAW formats are told apart from other images by the built-in
    list, and `.xmp` is always a sidecar (Immich 3.1: mime-types.ts knows no other).
    """
    images = {end.lstrip(b".").lower() for end in image}
    videos = {end.lstrip(b".").lower() for end in video}
    kinds = dict.fromkeys(videos, Kind.VIDEO)
    kinds |= {end: Kind.RAW if end in _RAW else Kind.IMAGE for end in images}
    return kinds | {b"xmp": Kind.SIDECAR}


BUILT_IN = media_types((*_IMAGE, *_RAW), _VIDEO)
"""What Immich 3.1 takes (mime-types.ts), for when the server cannot be asked."""


def extension_of(name: bytes) -> bytes:
    """A name's extension in lower case, without its dot; b"" if it has none (`.jpg` has none)."""
    stem, dot, end = name.rpartition(b".")
    return end.lower() if dot and stem.strip(b".") else b""


def kind_of(name: bytes, types: Mapping[bytes, Kind] = BUILT_IN) -> Kind | None:
    """What a name stands for, by its extension; None if it is nothing that Immich takes."""
    return types.get(extension_of(name))


def sidecar_of(name: bytes, names: Container[bytes]) -> bytes | None:
    """The sidecar of a photo or video among the names of its directory (its own too), or None.

    `IMG.jpg.xmp` comes before `IMG.xmp`; extensions may be spelled in any case, the rest must be
    equal byte for byte. A sidecar belongs to one file at most: see `_owner`. That it is not empty
    is for the caller to look at. Some 25 names are looked for, more only where one is found, since
    each may cost a caller a question to the disk.
    """
    stem = _stem(name)
    # The media's own spelling first: beside the twins `a.JPG` and `a.jpg`, each has its own.
    others = [base for base in _spelled(stem, extension_of(name)) if base != name]
    candidates = [(name, end) for end in _SIDECAR_ENDS]
    candidates += [(base, end) for base in others for end in _spellings(b"xmp")]
    candidates += [(stem, end) for end in _SIDECAR_ENDS]
    for base, end in candidates:
        if base + end in names and _owner(base, name, names) == name:
            return base + end
    return None


def _owner(base: bytes, asking: bytes, names: Container[bytes]) -> bytes | None:
    """The one file that the sidecar `base + .xmp` belongs to; None if it cannot be told.

    `asking` is a file that may be the one, however oddly its extension is spelled.

    A wrong sidecar gives a photo another one's date and place, a missing one costs what can be
    sent later: in doubt it is nobody's. With a media extension in `base` it is that file's alone,
    even when the file is gone. Without, it belongs to the only file with this stem. Of several, a
    still comes before the motion part of its live photo, and the only RAW before what the camera
    wrote beside it, since Adobe's programs write `IMG.xmp` for RAW files and keep the metadata of
    others inside the file; two images neither of which (or both of which) are RAW leave it open.
    """
    if base in names:
        return base
    if kind_of(base) is not None:
        twins = {twin for twin in _spelled(_stem(base), extension_of(base)) if twin in names}
        return asking if twins <= {asking} and _stem(asking) == _stem(base) else None
    media = (m for end in BUILT_IN if end != b"xmp" for m in _spelled(base, end))
    same = sorted({asking, *(m for m in media if m in names)})
    stills = [one for one in same if kind_of(one) is not Kind.VIDEO]
    raws = [one for one in stills if kind_of(one) is Kind.RAW]
    for candidates in (same, stills, raws):
        if len(candidates) == 1:
            return candidates[0]
    return None


def still_of(motion_name: bytes, names: Container[bytes]) -> bytes | None:
    """The still of the live photo whose motion part this may be: same stem, HEIC before JPEG.

    None unless the name is that of a MOV or MP4 and no other video is nearer to the still. That
    both were taken together is for `complete.content_identifier` or the caller to prove.
    """
    if extension_of(motion_name) not in _MOTIONS:
        return None
    still, motion = _pair(_stem(motion_name), names)
    return still if motion == motion_name else None


def motion_of(still_name: bytes, names: Container[bytes]) -> bytes | None:
    """The motion part of the live photo whose still this may be: `still_of`, the other way."""
    if extension_of(still_name) not in _STILLS:
        return None
    still, motion = _pair(_stem(still_name), names)
    return motion if still == still_name else None


def _pair(stem: bytes, names: Container[bytes]) -> tuple[bytes | None, bytes | None]:
    """The still and the motion part with a stem, both or neither."""
    stills = (n for end in _STILLS for n in _spelled(stem, end))
    motions = (n for end in _MOTIONS for n in _spelled(stem, end))
    still = next((name for name in stills if name in names), None)
    motion = next((name for name in motions if name in names), None)
    return (still, motion) if still is not None and motion is not None else (None, None)


def _stem(name: bytes) -> bytes:
    return name.rpartition(b".")[0] if extension_of(name) else name


def _spelled(stem: bytes, extension: bytes) -> list[bytes]:
    return [stem + end for end in _spellings(extension)]


@cache
def _spellings(extension: bytes) -> tuple[bytes, ...]:
    """The ways in which cameras and programs write an extension: `.jpg`, `.JPG`, `.Jpg`."""
    return tuple(b"." + end for end in (extension, extension.upper(), extension.capitalize()))


_STILLS = (b"heic", b"heif", b"jpg", b"jpeg")
_MOTIONS = (b"mov", b"mp4")
_OTHER_SIDECAR_ENDS = (b"." + bytes(end) for end in product(b"xX", b"mM", b"pP"))
_SIDECAR_ENDS = tuple(dict.fromkeys((*_spellings(b"xmp"), *_OTHER_SIDECAR_ENDS)))
"""`.xmp` in every case, the usual ones first."""
