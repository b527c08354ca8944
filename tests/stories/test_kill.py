"""kill -9, twenty times at random moments: nothing is lost, nothing doubled, the state intact."""

import time
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from random import Random

import pytest

from immich_sync.sandbox import Delay
from immich_sync.store.database import Database, open_read_only
from tests.stories.scene import Story, photo, sha1, until

FILES = 300
KILLS = 20
SEED = 2


def _name(n: int) -> str:
    return f"{('Alps', 'Beach', 'City')[n % 3]}/IMG_{n}.jpg"


def _arrive(story: Story, dice: Random, numbers: Iterable[int]) -> None:
    for n in numbers:
        story.put(_name(n), photo(n, dice.randrange(20_000, 200_000)))


def _reached(story: Story, files: int) -> None:
    until(lambda: len(story.server.assets()) >= files, f"{files} files are there")


def _integrity(database: Database) -> tuple[str, int]:
    """SQLite's own word on the file, and how many rows refer to nothing."""
    with database.reading() as connection:
        (word,) = connection.execute("PRAGMA integrity_check").fetchone()
        return word, len(connection.execute("PRAGMA foreign_key_check").fetchall())


@pytest.mark.slow
def test_every_file_is_there_once_verified_and_in_its_album(story: Story) -> None:
    """300 files, 20 kills at random moments of the start, the scan, the uploads and the albums.

    A kill waits for some progress first: else a slow machine would see 20 starts and no work.
    """
    dice = Random(SEED)  # noqa: S311 - moments and sizes, no secret
    story.configure({"album": "{parent}"}, uploads=3)
    slowly = story.server.sandbox.faults.add(Delay(0.1), method="POST", path="/api/assets")
    arriving = iter(range(FILES))
    _arrive(story, dice, islice(arriving, FILES // 2))
    progress: list[int] = []
    for kill in range(KILLS):
        daemon = story.launch()
        _arrive(story, dice, islice(arriving, FILES // 2 // KILLS))
        _reached(story, FILES * kill // KILLS // 2)
        time.sleep(dice.random())
        daemon.kill()
        progress.append(len(story.server.assets()))
    story.server.sandbox.faults.remove(slowly)
    _arrive(story, dice, arriving)
    assert len(set(progress)) > KILLS // 2
    assert progress[-1] < FILES

    daemon = story.start()
    until(lambda: len(story.server.assets()) == FILES, "all files are there", within=60)
    until(daemon.is_done, "nothing is due any more")
    on_disk = Counter(sha1(path.read_bytes()) for path in story.photos.rglob("*.jpg"))
    assert on_disk == Counter(story.server.checksums())
    assert set(on_disk.values()) == {1}
    for album in ("Alps", "Beach", "City"):
        names = sorted(path.name for path in (story.photos / album).iterdir())
        assert names == story.server.album(album)
    assert len(story.server.sandbox.albums()) == 3
    folder = daemon.folder()
    assert (folder.files, folder.verified, folder.failed) == (FILES, FILES, 0)
    until(lambda: story.server.sandbox.stray_files() == [], "nothing half-done is on the server")

    daemon.stop()
    database = open_read_only(story.state / "state.db")
    try:
        assert _integrity(database) == ("ok", 0)
    finally:
        database.close()
    assert [one for one in story.state.iterdir() if "corrupt" in one.name] == []
