"""What things are called: on the server, on a terminal, and an album by its template.

Its own module because names on disk are any bytes, and each reader of them breaks in another way.
"""

import re
import unicodedata
from datetime import datetime
from string import Formatter

# What "surrogateescape" makes of each byte that is no UTF-8, and how that byte is best read:
# nearly all such names were written by Windows or by an old Western Linux.
_READABLE = {
    0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)
}
_JOINER = "\N{ZERO WIDTH JOINER}"  # holds families and flags of emoji together


def upload_name(name: bytes) -> str:
    r"""The name that the server is told: never empty, always UTF-8, extension kept.

    A name in UTF-8 is sent as it is, quotes, percent signs and newlines included: the server stores
    the `filename` field exactly (seen on Immich 3.1), and who prints it escapes it. In any other
    name the bytes that are no UTF-8 are read as Windows-1252 (`caf\xe9.jpg` → `café.jpg`), and
    those that mean nothing there become U+FFFD.
    """
    return name.decode("utf-8", "surrogateescape").translate(_READABLE) or "unnamed"


def shown(path: bytes) -> str:
    r"""A path for a terminal or a log: one line, no control characters, nothing lost.

    Bytes that are no UTF-8 appear as `\xNN`, a backslash as two, and what moves the cursor, ends
    the line or turns the writing direction as an escape, so that no name can forge a line.
    """
    return "".join(_shown(char) for char in path.decode("utf-8", "surrogateescape"))


def _shown(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char == "\\":
        return "\\\\"
    if char.isprintable() or char == _JOINER or unicodedata.category(char) == "Zs":
        return char
    # A character below 256 is not spelled \xNN: that would look like the byte.
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(
        char, f"\\u{ord(char):04x}" if ord(char) <= _BMP else f"\\U{ord(char):08x}"
    )


_BMP = 0xFFFF
_FIELDS = "{parent}, {folder}, {path} and {date:…}, as in {date:%Y-%m}"
_EDGES = re.compile(r"\A[\s/]+|[\s/]+\Z")
_DIRECTIVE = re.compile(r"%(?:[aAbBdHIjmMpUwWxXyYGuV%])")


def check_template(template: str) -> None:
    """Raises ValueError, saying what to write, if an album's template cannot be filled in."""
    if not template.strip():
        raise ValueError("the album template is empty; leave it out if no album is wanted")
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(
            f"album template {template!r}: a brace is not closed or not opened ({error});"
            " write {{ or }} for a brace in the name"
        ) from error
    for _, field, form, conversion in pieces:
        if field is not None and (wrong := _what_is_wrong(field, form or "", conversion)):
            raise ValueError(f"album template {template!r}: {wrong}")


def _what_is_wrong(field: str, form: str, conversion: str | None) -> str | None:
    if field not in ("parent", "folder", "path", "date"):
        return f"there is no field {{{field}}}; there are {_FIELDS}"
    if conversion is not None:
        return f"a field takes no conversion (!{conversion}); there are {_FIELDS}"
    if field != "date":
        return f"{{{field}}} takes no format (:{form})" if form else None
    rest = _DIRECTIVE.sub("", form)
    if rest == form or "%" in rest or "{" in rest:
        return f"{{date:{form}}} is no date format; write for example {{date:%Y-%m}}"
    return None


def album_name(template: str, *, folder: str, directory: bytes, local_time: datetime) -> str:
    """The name of the album that a file belongs into; never empty, one line.

    `folder` is the folder's name, `directory` the file's directory below the folder's root (b""
    at the root, where {parent} is the folder's name and {path} is empty), `local_time` the file's
    own. The template has passed `check_template`. Names are composed (NFC), since macOS decomposes
    them and one album should not become two; control characters and line ends become spaces;
    blanks and slashes at both ends are cut off, and what is empty then becomes the folder's name.
    """
    path = upload_name(directory) if directory else ""
    values = {"folder": folder, "path": path, "parent": path.rpartition("/")[2] or folder}
    name = "".join(
        literal + _filled(field, form, values, local_time)
        for literal, field, form, _ in Formatter().parse(template)
    )
    return _tidy(name) or _tidy(folder) or folder


def _filled(
    field: str | None, form: str | None, values: dict[str, str], local_time: datetime
) -> str:
    if field is None:
        return ""
    return local_time.strftime(form or "") if field == "date" else values[field]


def _tidy(name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    plain = "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in composed
    )
    return _EDGES.sub("", plain)
