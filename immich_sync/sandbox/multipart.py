"""A multipart body, taken in block by block: files go to disk and are hashed on the way.

Its own module because the order of the parts matters exactly as it does on the server: a file
part is judged when it begins, with only the fields that came before it.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from immich_sync.sandbox.errors import ApiError

_PARAMETER = re.compile(r';\s*([\w*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_BOUNDARY = re.compile(
    r'multipart/form-data\b.*?;\s*boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file part on disk: its temporary path, name as announced, SHA-1 in hex and size."""

    path: Path
    name: str
    checksum: str
    size: int


def disposition(header: str) -> dict[str, str]:
    r"""The parameters of a `Content-Disposition`.

    `\"` is unescaped, `%22` is not decoded, and a file name loses everything up to its last `/`
    or `\` (seen on a 3.1.0 server).
    """
    found = {
        match[1].lower(): match[3] if match[2] is None else _ESCAPE.sub(r"\1", match[2])
        for match in _PARAMETER.finditer(header)
    }
    if "filename" in found:
        found["filename"] = re.split(r"[/\\]", found["filename"])[-1]
    return found


class Multipart:
    """One body: `feed` it, ask whether it is `complete`, and `discard` what was not moved away.

    `admit(part, file name, fields so far)` is called when a file part begins and may raise.
    """

    def __init__(
        self,
        content_type: str,
        new_path: Callable[[], Path],
        admit: Callable[[str, str, dict[str, str]], None],
    ) -> None:
        match = _BOUNDARY.match(content_type)
        if match is None:
            raise ApiError(400, "Multipart: Boundary not found")
        self.fields: dict[str, str] = {}
        self.files: dict[str, ReceivedFile] = {}
        self.complete = False
        self._new_path = new_path
        self._admit = admit
        self._paths: list[Path] = []
        self._header_name = self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name = self._file_name = ""
        self._text: bytearray | None = None
        self._file: BufferedWriter | None = None
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._parser = MultipartParser(
            match[1] or match[2],
            {
                "on_part_begin": self._part_began,
                "on_header_field": self._header_field,
                "on_header_value": self._header_text,
                "on_header_end": self._header_ended,
                "on_headers_finished": self._headers_ended,
                "on_part_data": self._data,
                "on_part_end": self._part_ended,
                "on_end": self._ended,
            },
        )

    def feed(self, block: bytes) -> None:
        """The block is parsed; file bytes in it are on disk and hashed.  400 if it is malformed."""
        try:
            if not self.complete:
                self._parser.write(block)
        except FormParserError as error:
            raise ApiError(400, "Multipart: Malformed part header") from error

    def discard(self) -> None:
        """No temporary file of this body is left."""
        if self._file is not None:
            self._file.close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _part_began(self) -> None:
        self._headers = {}
        self._header_name = self._header_value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_ended(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_ended(self) -> None:
        header = self._headers.get(b"content-disposition", b"").decode(errors="replace")
        parameters = disposition(header)
        self._name = parameters.get("name", "")
        self._text = None
        if "filename" not in parameters:
            self._text = bytearray()
            return
        self._file_name = parameters["filename"]
        if self._name in self.files:
            raise ApiError(400, "Unexpected field")
        self._admit(self._name, self._file_name, self.fields)
        path = self._new_path()
        self._paths.append(path)
        self._file = path.open("wb")
        self._sha1 = hashlib.sha1(usedforsecurity=False)

    def _data(self, data: bytes, start: int, end: int) -> None:
        block = memoryview(data)[start:end]
        if self._file is not None:
            self._file.write(block)
            self._sha1.update(block)
        elif self._text is not None:
            self._text += block

    def _part_ended(self) -> None:
        if self._file is not None:
            size = self._file.tell()
            self._file.close()
            self._file = None
            self.files[self._name] = ReceivedFile(
                self._paths[-1], self._file_name, self._sha1.hexdigest(), size
            )
        elif self._text is not None:
            self.fields[self._name] = self._text.decode(errors="replace")

    def _ended(self) -> None:
        self.complete = True
