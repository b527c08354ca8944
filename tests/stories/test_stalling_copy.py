"""A copy over SMB or FTP that stalls: pauses longer than the folder's settle time.

With TRUE_TIMES=1 the times are those of a real household, else a tenth of them.
"""

import os
import time
from pathlib import Path

import pytest

from tests.stories.scene import Story, sha1, until, video

TRUE_TIMES = os.environ.get("TRUE_TIMES") == "1"
SETTLE, PAUSE = ("10s", 15.0) if TRUE_TIMES else ("1s", 1.6)
SIZE = 20_000_000

pytestmark = [pytest.mark.slow] if TRUE_TIMES else []


def _pieces(content: bytes) -> list[bytes]:
    """A copy's pieces; one ends right behind the pictures, before an index that stands there."""
    index = content.rindex(b"moov") - 4
    last = index if index > SIZE // 2 else len(content) - 1000
    return [content[:20], content[20 : SIZE // 3], content[SIZE // 3 : last], content[last:]]


def _append(path: Path, piece: bytes) -> None:
    with path.open("ab") as file:
        file.write(piece)


def test_a_video_whose_copy_stalls_is_uploaded_once_and_whole(story: Story) -> None:
    """A container that is plainly cut off waits, whether its writer keeps it open or not."""
    kept = {
        f"kept {where}.mp4": video(f"kept {where}", SIZE, index_first=where == "front")
        for where in ("front", "back")
    }
    again = {
        f"again {where}.mp4": video(f"again {where}", SIZE, index_first=where == "front")
        for where in ("front", "back")
    }
    everything = kept | again
    story.configure(settle=SETTLE)
    daemon = story.start()
    writers = {name: (story.photos / name).open("wb") for name in kept}
    for number in range(4):
        for name, content in kept.items():
            writers[name].write(_pieces(content)[number])
            writers[name].flush()
        for name, content in again.items():
            _append(story.photos / name, _pieces(content)[number])
        if number < 3:
            time.sleep(PAUSE)
            assert (story.server.sent(), daemon.is_done()) == (0, True)
    for writer in writers.values():
        writer.close()
    until(lambda: len(story.server.everything()) == 4, "four videos are there")
    story.calm(daemon)

    assert sorted(map(sha1, everything.values())) == story.server.checksums()
    assert story.server.sent() == 4
    assert daemon.problems("incomplete") == []
