"""Backups of the state: one file that holds its tables and its tombstones, and says what they are.

Its own module because only here that file's form is known: a tar, so that any machine can look
into it, with a manifest of checksums, so that a copy that lost something is found out.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from immich_sync.core.errors import Misconfigured, StateTrouble
from immich_sync.core.keeping import Contents, Kept
from immich_sync.core.tombstones import Condition, condition, merged
from immich_sync.store.copying import copy, counted, keep_name, look_at
from immich_sync.store.database import STATE_FILE
from immich_sync.store.room import written
from immich_sync.store.soundness import integrity, require, tombstones
from immich_sync.store.tombstones import FILE, lines
from immich_sync.store.trouble import TROUBLES, code, damaged, translated, trouble
from immich_sync.store.upgrading import applied, is_pending

FORM = 1
"""The form of the file; another one is not read."""
MANIFEST = "manifest.json"
_FEW = 1_000_000  # bytes of a manifest, at most
_CHUNK = 1024 * 1024


def write_backup(state: Path, target: Path, *, now: float, version: str) -> Kept:
    """A new file holds the state as it is now; it was read again, and is on the disk.

    `target` is its path, or a folder in which it gets a name with the time. Nothing that is there
    is overwritten, and nobody who uses the state waits. `now` in wall-clock seconds. Raises
    Misconfigured or StateTrouble; then there is no such file.
    """
    require(state / STATE_FILE)
    with _written(target):
        if not target.parent.is_dir():
            raise Misconfigured(f"The backup {target} cannot be written: there is no such folder.")
        if target.is_dir():
            stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(now))
            target /= f"immich-sync-state-{stamp}.tar"
        if os.path.lexists(target):
            raise _there(target)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as drafts:
            folder, draft = Path(drafts), Path(drafts) / "backup.tar"
            contents = _collect(state, folder)
            _pack(draft, folder, contents, now=now, version=version)
            kept = read_backup(draft)
            if kept.contents != contents:
                raise StateTrouble(f"{target} does not hold what was written: see its disk.")
            _move(draft, target)
        keep_name(target.parent)
        return replace(kept, path=str(target))


def read_backup(path: Path, into: Path | None = None) -> Kept:
    """What the backup holds, every byte of it as it was written; its files lie in `into` then.

    Raises Misconfigured if it is none or not whole, StateTrouble if `into` cannot be written.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            said = json.loads(_member(tar, MANIFEST).read(_FEW))
            if said["form"] != FORM:
                raise Misconfigured(
                    f"{path} was made by a newer immich-sync ({said['version']}): restore it with "
                    "that version."
                )
            for name in (STATE_FILE, FILE) if FILE in said["files"] else (STATE_FILE,):
                member = _member(tar, name)
                _check(member, said["files"][name])
                if into is not None:
                    _extract(member, into / name)
            stones = said["tombstones"]
            contents = Contents(
                tuple(map(str, said["schema"])),
                {str(table): int(rows) for table, rows in said["rows"].items()},
                Condition(**stones) if stones else None,
            )
            made_at, version = float(said["made_at"]), str(said["version"])
            return Kept(str(path), file.seek(0, os.SEEK_END), made_at, version, contents)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from error
    except (tarfile.TarError, ValueError, TypeError, KeyError, AttributeError, EOFError) as error:
        raise Misconfigured(
            f"{path} is no backup of immich-sync, or not a whole one ({error})."
        ) from error


def _collect(state: Path, folder: Path) -> Contents:
    """Copies of both lie in `folder`, and were looked at.

    The tombstones come last: each is on the disk before the tables say the same.
    """
    source, table_copy = state / STATE_FILE, folder / STATE_FILE
    with translated(source), closing(look_at(source)) as connection:
        is_pending(connection, source)  # raises Misconfigured for what is newer
    try:
        rows = copy(source, table_copy)
    except TROUBLES as error:
        failing = code(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        raise trouble(table_copy if failing else source, error) from error
    with translated(table_copy), closing(look_at(table_copy)) as connection:
        schema, complaints = applied(connection), integrity(connection, quick=True)
        if complaints:
            raise StateTrouble(damaged(source, "; ".join(complaints)))
        if counted(connection) != rows:
            raise StateTrouble(f"{table_copy} is not what was copied: see its disk.")
    stones = tombstones(state / FILE)
    if stones is not None:
        said = merged(list(lines(state / FILE)), ())
        (folder / FILE).write_bytes(b"".join(said))
        stones = condition(said)
    return Contents(schema, rows, stones)


def _pack(draft: Path, folder: Path, contents: Contents, *, now: float, version: str) -> None:
    files = [folder / name for name in (STATE_FILE, FILE) if (folder / name).exists()]
    manifest = {
        "form": FORM,
        "version": version,
        "made_at": now,
        **asdict(contents),
        "files": {one.name: _sum(one) for one in files},
    }
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        said = json.dumps(manifest, indent=2).encode()
        tar.addfile(_entry(MANIFEST, len(said), now), io.BytesIO(said))
        for one in files:
            with one.open("rb") as content:
                tar.addfile(_entry(one.name, one.stat().st_size, now), content)
        tar.close()
        file.flush()
        os.fsync(file.fileno())


def _entry(name: str, size: int, now: float) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, int(now), 0o600
    return entry


def _sum(path: Path) -> dict[str, str | int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(tar.getmember(name))
    if file is None:
        raise ValueError(f"{name} is no file in it")
    return file


def _check(file: IO[bytes], wanted: Mapping[str, object]) -> None:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    if digest.hexdigest() != wanted["sha256"]:
        raise ValueError("its bytes are not the ones that were written")


def _extract(file: IO[bytes], path: Path) -> None:
    """These bytes lie at `path`, ours alone, and on the disk."""
    file.seek(0)
    with written(path.parent):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as copied:
            shutil.copyfileobj(file, copied, _CHUNK)
            copied.flush()
            os.fsync(descriptor)


def _move(draft: Path, target: Path) -> None:
    """The draft lies at `target`, where nothing lay. Raises Misconfigured if something does."""
    try:
        try:
            os.link(draft, target)
        except FileExistsError:
            raise
        except OSError:  # a stick's file system knows no links
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            draft.replace(target)
    except FileExistsError:
        raise _there(target) from None


def _there(target: Path) -> Misconfigured:
    return Misconfigured(f"{target} is there already, and was left as it is: choose another name.")


@contextmanager
def _written(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = f"The backup {target} cannot be written ({error.strerror})"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StateTrouble(f"{said}: free some space there.") from error
        raise Misconfigured(f"{said}: choose another place.") from error
