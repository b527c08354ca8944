"""Does to the disk what people, programs and failing sectors do to it.

Its own module because these deeds need nothing but the disk, and a witness of what lies there.
"""

from immich_sync.core.types import Evidence
from tests.faults.deeds import (
    CROWD,
    Begin,
    Break,
    ChangeDuring,
    Deed,
    Delete,
    Finish,
    Link,
    Many,
    MoveTree,
    Overflow,
    Rename,
    Sidecar,
    Swap,
    Write,
    bytes_of,
    half_of,
)
from tests.faults.memory_disk import MemoryDisk, Trap
from tests.faults.stage import Stage
from tests.faults.witness import Witness

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def handle(stage: Stage, witness: Witness, deed: Deed) -> None:
    """The deed is done, if there is a file to do it to; any other kind of deed does nothing."""
    disk = stage.disk
    match deed:
        case ChangeDuring(path, content, after):
            disk.traps.append(Trap(path, after, lambda: _change(stage, witness, path, content)))
        case Break(path, mended):
            (disk.broken.discard if mended else disk.broken.add)(path)
        case Overflow(silent):
            disk.overflow(silent=silent)
        case Many(does):
            _handle_many(stage, witness, does)
        case _:
            _handle_files(disk, deed, stage.clock.now())


def _handle_many(stage: Stage, witness: Witness, does: str) -> None:
    disk, now = stage.disk, stage.clock.now()
    there = [path for path in CROWD if path in disk.files]
    match does:
        case "come":
            for number, path in enumerate(CROWD):
                disk.write(path, bytes_of(path, 100 + number), now)
        case "go":
            witness.many_go(disk.files, there)
            for path in there:
                disk.remove(path)
        case "change":
            data = {path: disk.files[path].data + b"tagged" for path in there}
            witness.many_change(disk.files, data)
            for path, tagged in data.items():
                disk.rewrite(path, tagged, now)
        case _:
            raise AssertionError(does)


def _handle_files(disk: MemoryDisk, deed: Deed, now: float) -> None:
    files = disk.files
    match deed:
        case Write(path, content):
            disk.write(path, bytes_of(path, content), now)
        case Begin(path, content):
            disk.write(path, half_of(path, content), now, Evidence.BEGUN)
        case Finish(path, content, keep_mtime, unseen) if path in files:
            heard = disk.listening and not unseen
            disk.listening, was = heard, disk.listening
            disk.rewrite(path, bytes_of(path, content), now, keep_mtime=keep_mtime)
            disk.listening = was
        case Swap(path, content) if path in files:
            mtime_ns = files[path].stamp.mtime_ns
            disk.write(path, bytes_of(path, content), now, mtime_ns=mtime_ns)
        case Rename(path, to) if path in files:
            disk.rename(path, to, now)
        case Link(path, to) if path in files and path != to:
            disk.link(path, to, now)
        case Delete(path) if path in files:
            disk.remove(path)
        case MoveTree(directory, to):
            for path in sorted(one for one in files if one.startswith(directory + b"/")):
                disk.rename(path, to + path[len(directory) :], now)
        case Sidecar(path, whole):
            disk.write(path + b".xmp", XMP if whole else XMP[:20], now)
        case _:
            pass


def _change(stage: Stage, witness: Witness, path: bytes, content: int) -> None:
    if path in stage.disk.files:
        stage.disk.rewrite(path, bytes_of(path, content), stage.clock.now())
        witness.look(stage.disk.files, home=False)
