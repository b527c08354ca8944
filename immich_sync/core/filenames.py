"""What a downloaded file is called: by its caller, by the server, or by its id.

Its own module because a name that comes out of a header is a stranger's word, and must never lead
anywhere but into the folder that was asked for.
"""

import re
from hashlib import sha256
from urllib.parse import unquote_to_bytes

LONGEST = 255
"""Bytes of one name: the limit of nearly every file system."""

_STARRED = re.compile(
    r"(?:^|;)\s*filename\*\s*=\s*([\w!#$%&+^`{}~-]*)'[^']*'([^;\s]+)", re.IGNORECASE
)
_QUOTED = re.compile(r'(?:^|;)\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_PLAIN = re.compile(r"(?:^|;)\s*filename\s*=\s*([^;\s\"]+)", re.IGNORECASE)
_UNSAFE = frozenset("/\\\x7f\u2028\u2029") | {chr(n) for n in (*range(32), *range(128, 160))}
_CHARSETS = {"utf-8", "utf8", "iso-8859-1", "us-ascii", ""}
_HASH_LENGTH = 12
_HASHED = re.compile(rf"~[0-9a-f]{{{_HASH_LENGTH}}}\Z")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{device}{n}" for device in ("com", "lpt") for n in "123456789¹²³"}
)
_EXTENSIONS = {
    "application/mp4": ".mp4",
    "application/zip": ".zip",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/dng": ".dng",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "image/jp2": ".jp2",
    "image/jpeg": ".jpg",
    "image/jxl": ".jxl",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tiff",
    "image/vnd.adobe.photoshop": ".psd",
    "image/webp": ".webp",
    "video/3gpp": ".3gp",
    "video/avi": ".avi",
    "video/mp2t": ".ts",
    "video/mp4": ".mp4",
    "video/mpeg": ".mpg",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-flv": ".flv",
    "video/x-matroska": ".mkv",
    "video/x-ms-wmv": ".wmv",
    "video/x-msvideo": ".avi",
}


def is_safe(name: str) -> bool:
    """Whether a name is that of one file in any folder, on any system that may see the folder.

    It holds no slash of either kind, no control character, no line end and nothing that UTF-8
    cannot write, is neither `.` nor `..` nor a device of Windows, ends with neither a dot nor a
    blank, and is not too long.
    """
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return False
    if not 0 < length <= LONGEST or name[-1] in ". " or not _UNSAFE.isdisjoint(name):
        return False
    return name.partition(".")[0].rstrip().lower() not in _DEVICES


def extension(name: str) -> str:
    """A name's extension with its dot, as it is spelled; "" if it has none (`.jpg` has none)."""
    stem, dot, end = name.rpartition(".")
    return dot + end if stem.strip(".") and end else ""


def by_server(disposition: str | None) -> str | None:
    """The name in a `Content-Disposition` (RFC 6266), if it may be used.

    Of a path only its last part is meant, whichever way its slashes lean.
    """
    name = _disposed(disposition or "").replace("\\", "/").rpartition("/")[2]
    return name if is_safe(name) else None


def chosen(
    given: str | None, *, disposition: str | None, content_type: str | None, base: str
) -> str:
    """The name for what the server sends with these two headers.

    `given` is the caller's, whose own extension stands; else it is the server's name, else `base`
    (`orig-ID`). What has no extension gets the server's name's, or that of the content type.
    Raises ValueError if `given` is no safe name.
    """
    served = by_server(disposition)
    kind = (content_type or "").partition(";")[0].strip().lower()
    end = extension(served or "") or _EXTENSIONS.get(kind, "")
    if given is not None:
        if not is_safe(given):
            raise ValueError(f"{given!r} is no name for a file; give one without a path in it")
        name = given if extension(given) else given + end
        return name if is_safe(name) else given
    name = served or base
    full = name if extension(name) else name + end
    return full if is_safe(full) else base


def numbered(name: str, number: int) -> str:
    """Another name for a file whose own is taken: `a.jpg` → `a (2).jpg`, shortened to fit."""
    end = extension(name)
    if len(end.encode()) > LONGEST // 2:  # no extension, but a name with a dot in it
        end = ""
    stem = name.removesuffix(end) if end else name
    return _fitting(stem, f" ({number}){end}")


def suffixed(name: str, suffix: str) -> str:
    """The name with a suffix behind it (`a.jpg.temp`), shortened to fit if it must be.

    No two names have the same one, and none has its own: what is shortened gets a hash of the
    whole name, and so does what only looks as if it had one.
    """
    if len((name + suffix).encode()) <= LONGEST and not _HASHED.search(name):
        return name + suffix
    digest = sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return _fitting(name, f"~{digest}{suffix}")


def _fitting(stem: str, end: str) -> str:
    room = max(0, LONGEST - len(end.encode()))
    return stem.encode()[:room].decode("utf-8", "ignore") + end


def _disposed(disposition: str) -> str:
    if found := _STARRED.search(disposition):
        charset, text = found[1].lower(), unquote_to_bytes(found[2])
        if charset in _CHARSETS:
            return text.decode("utf-8" if charset.startswith("utf") else "latin-1", "replace")
    if found := _QUOTED.search(disposition):
        return re.sub(r"\\(.)", r"\1", found[1])
    found = _PLAIN.search(disposition)
    return found[1] if found else ""
