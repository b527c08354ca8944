"""Records in memory, and every change to them appended to a file as one line of JSON.

Its own module because a restart over the same data folder must find everything again, whoever
made the change: the tables know of the journal, nobody else does.
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter


class Record(Protocol):
    """Anything that can be kept in a table."""

    @property
    def id(self) -> str:
        """The key, unique within its table."""


RecordT = TypeVar("RecordT", bound=Record)


class Journal:
    """An append-only file of JSON lines; without a path, changes are only in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = None
        self._readers: dict[str, Callable[[list[object]], None]] = {}
        if path is not None:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            self._file = os.fdopen(descriptor, "rb+", buffering=0)

    def reads(self, name: str, reader: Callable[[list[object]], None]) -> None:
        """Lines that begin with `name` will go to `reader` when the journal is replayed."""
        self._readers[name] = reader

    def replay(self) -> None:
        """Everything written before is read again; a torn last line is cut off."""
        if self._file is None:
            return
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            entry: list[object] = json.loads(line)
            self._readers[str(entry[0])](entry[1:])
            whole += len(line)
        self._file.truncate(whole)
        self._file.seek(whole)

    def write(self, *entry: object) -> None:
        """The change is in the file (not on the platter: a power cut may lose it)."""
        if self._file is not None:
            self._file.write(json.dumps(entry).encode() + b"\n")

    def close(self) -> None:
        """No more changes can be written."""
        if self._file is not None:
            self._file.close()


class Table(Generic[RecordT]):
    """Records by id, in the order in which they were made."""

    def __init__(self, name: str, kind: type[RecordT], journal: Journal) -> None:
        self._name = name
        self._journal = journal
        self._adapter: TypeAdapter[RecordT] = _adapter(kind)
        self._records: dict[str, RecordT] = {}
        journal.reads(name, self._read)

    def _read(self, entry: list[object]) -> None:
        (value,) = entry
        if isinstance(value, str):
            self._records.pop(value, None)
        else:
            record = self._adapter.validate_python(value)
            self._records[record.id] = record

    def put(self, record: RecordT) -> RecordT:
        """The record is kept, in the place of an older one with its id."""
        self._records[record.id] = record
        self._journal.write(self._name, self._adapter.dump_python(record, mode="json"))
        return record

    def drop(self, record_id: str) -> None:
        """The record is gone, if it was there."""
        if self._records.pop(record_id, None) is not None:
            self._journal.write(self._name, record_id)

    def get(self, record_id: str | None) -> RecordT | None:
        """The record with this id, or None."""
        return None if record_id is None else self._records.get(record_id)

    def __iter__(self) -> Iterator[RecordT]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)


@cache  # to make one costs more than a small simulation
def _adapter(kind: type[RecordT]) -> TypeAdapter[RecordT]:
    return TypeAdapter(kind)


class Relation:
    """Pairs of ids, such as (album, asset), in the order in which they were made."""

    def __init__(self, name: str, journal: Journal) -> None:
        self._name = name
        self._journal = journal
        self._forward: dict[str, dict[str, None]] = {}
        self._backward: dict[str, dict[str, None]] = {}
        journal.reads(name, self._read)

    def _read(self, entry: list[object]) -> None:
        left, right, present = entry
        self._set(str(left), str(right), present=bool(present))

    def _set(self, left: str, right: str, *, present: bool) -> None:
        if present:
            self._forward.setdefault(left, {})[right] = None
            self._backward.setdefault(right, {})[left] = None
        else:
            self._forward.get(left, {}).pop(right, None)
            self._backward.get(right, {}).pop(left, None)

    def add(self, left: str, right: str) -> bool:
        """The pair is there; True if it was not before."""
        if self.has(left, right):
            return False
        self._set(left, right, present=True)
        self._journal.write(self._name, left, right, True)  # noqa: FBT003 (a line of the journal is positional)
        return True

    def remove(self, left: str, right: str) -> bool:
        """The pair is gone; True if it was there."""
        if not self.has(left, right):
            return False
        self._set(left, right, present=False)
        self._journal.write(self._name, left, right, False)  # noqa: FBT003 (a line of the journal is positional)
        return True

    def has(self, left: str, right: str) -> bool:
        """Whether the pair is there."""
        return right in self._forward.get(left, {})

    def of(self, left: str) -> tuple[str, ...]:
        """All that belongs to `left`."""
        return tuple(self._forward.get(left, {}))

    def holding(self, right: str) -> tuple[str, ...]:
        """All that `right` belongs to."""
        return tuple(self._backward.get(right, {}))

    def forget(self, name: str) -> None:
        """No pair has this id on either side."""
        for right in self.of(name):
            self.remove(name, right)
        for left in self.holding(name):
            self.remove(left, name)
