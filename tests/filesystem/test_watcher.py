"""Facts about the events of watchdog's stock emitters, as other systems send them."""

import pytest
from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)

from immich_sync.core.types import Evidence
from immich_sync.filesystem.dirt import Dirt
from immich_sync.filesystem.watcher import note_event

_NONE, _FINISHED = Evidence.NONE, Evidence.FINISHED


def _skip_hidden(directory: bytes, name: bytes, is_directory: bool) -> bool:  # noqa: FBT001 -- `Skip`
    del directory, is_directory
    return name.startswith(b".")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (FileCreatedEvent("/r/a/x.jpg"), {b"a": {b"x.jpg": _NONE}}),
        (FileModifiedEvent("/r/x.jpg"), {b"": {b"x.jpg": _NONE}}),
        (FileDeletedEvent("/r/caf\udce9.jpg"), {b"": {b"caf\xe9.jpg": _NONE}}),
        (
            FileMovedEvent("/r/a/x.tmp", "/r/b/x.jpg"),
            {b"a": {b"x.tmp": _NONE}, b"b": {b"x.jpg": _FINISHED}},
        ),
        (FileMovedEvent("/r/.x.tmp", "/r/x.jpg"), {b"": {b"x.jpg": _FINISHED}}),
        (FileMovedEvent("/r/x.jpg", "/elsewhere/x.jpg"), {b"": {b"x.jpg": _NONE}}),
        (DirCreatedEvent("/r/a/b"), {b"a": {}, b"a/b": {}}),
        (DirMovedEvent("/r/a", "/r/b"), {b"": {}, b"a": {}, b"b": {}}),
        (FileCreatedEvent("/r/.hidden/deep/x.jpg"), None),
        (FileCreatedEvent("/rest/x.jpg"), None),
    ],
)
def test_a_stock_event_makes_its_directories_dirty(
    event: FileSystemEvent, expected: dict[bytes, dict[bytes, Evidence]] | None
) -> None:
    """Both ends of a move count; what is skipped or lies outside does not."""
    dirt = Dirt()
    note_event(event, b"/r", dirt, _skip_hidden)

    taken = dirt.take()

    assert (taken.directories if taken else None) == expected
