"""Which files the server takes, and what it calls their contents.

Its own module because it is a table and nothing else.  Source: Immich 3.1, mime-types; 2.7 takes
the same extensions.
"""

from pathlib import PurePosixPath

_RAW = (
    "3fr ari arw cap cin cr2 cr3 crw dcr dng erf fff iiq k25 kdc mrw nef nrw orf ori pef psd raf "
    "raw rw2 rwl sr2 srf srw x3f"
)
_IMAGE = "avif bmp gif jpeg jpg png webp heic heif hif insp jp2 jpe jxl mpo svg tif tiff"
_VIDEO = "3gp 3gpp avi flv insv m2t m2ts m4v mkv mov mp4 mpe mpeg mpg mts mxf ts vob webm wmv"

IMAGES = frozenset(f".{name}" for name in f"{_RAW} {_IMAGE}".split())
VIDEOS = frozenset(f".{name}" for name in _VIDEO.split())
SIDECARS = frozenset({".xmp"})

_MIME = {
    "jpg": "image/jpeg",
    "jpe": "image/jpeg",
    "jpeg": "image/jpeg",
    "insp": "image/jpeg",
    "mpo": "image/jpeg",
    "tif": "image/tiff",
    "hif": "image/heif",
    "svg": "image/svg+xml",
    "3gp": "video/3gpp",
    "3gpp": "video/3gpp",
    "avi": "video/x-msvideo",
    "flv": "video/x-flv",
    "insv": "video/mp4",
    "m4v": "video/x-m4v",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mpe": "video/mpeg",
    "mpg": "video/mpeg",
    "vob": "video/mpeg",
    "wmv": "video/x-ms-wmv",
} | dict.fromkeys(("m2t", "m2ts", "mts", "ts"), "video/mp2t")


def suffix(name: str) -> str:
    """The extension in lower case, with its dot; empty if there is none."""
    return PurePosixPath(name).suffix.lower()


def mime_type(name: str) -> str:
    """The MIME type the server gives a file of this name."""
    extension = suffix(name).removeprefix(".")
    if extension in _RAW.split():
        return f"image/x-{extension}"
    group = "video" if f".{extension}" in VIDEOS else "image"
    return _MIME.get(extension, f"{group}/{extension}")
