"""Files and directories that are renamed or moved inside the tree: no upload, no lost count."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.stories.scene import Daemon, Story, photo, until

TREE = ("top.jpg", "a/1.jpg", "a/2.jpg", "a/deep/er/3.jpg", "a-1/4.jpg", "b/5.jpg")


def _synced(story: Story, *tops: str) -> Daemon:
    """Over a tree below each of `tops`, all of it verified."""
    for top in tops:
        for name in TREE:
            story.put(f"{top}/{name}", photo(f"{top} {name}"))
    daemon = story.start()
    number = len(TREE) * len(tops)
    until(lambda: len(story.server.names()) == number, "all is there")
    until(lambda: daemon.folder().verified == number, "all is verified")
    return daemon


def _rename_file(_: Story, top: Path) -> None:
    (top / "top.jpg").rename(top / "renamed.jpg")


def _move_file(_: Story, top: Path) -> None:
    (top / "a/1.jpg").rename(top / "b/1.jpg")


def _rename_directory(_: Story, top: Path) -> None:
    (top / "a").rename(top / "z")


def _move_directory(_: Story, top: Path) -> None:
    """Below a directory that is made just now."""
    (top / "new/one").mkdir(parents=True)
    (top / "a/deep").rename(top / "new/one/deep")


def _swap_directories(_: Story, top: Path) -> None:
    (top / "a").rename(top / "aside")
    (top / "b").rename(top / "a")
    (top / "aside").rename(top / "b")


def _move_out_and_back(story: Story, top: Path) -> None:
    (top / "a").rename(story.home / "outside")
    until(lambda: f"{top.name}/a/1.jpg" not in story.known(), "it is forgotten")
    (story.home / "outside").rename(top / "b/back")


MOVES: dict[str, Callable[[Story, Path], None]] = {
    move.__name__: move
    for move in (
        _rename_file,
        _move_file,
        _rename_directory,
        _move_directory,
        _swap_directories,
        _move_out_and_back,
    )
}


def test_what_is_moved_is_known_at_its_new_place_only(story: Story) -> None:
    """Nothing goes up again, and the ledger names what lies there, long before the next scan."""
    daemon = _synced(story, *MOVES)
    number = len(TREE) * len(MOVES)
    for name, move in MOVES.items():
        move(story, story.photos / name)
        until(lambda: story.known() == story.lying(), f"{name}: the ledger names what lies there")
        until(lambda: daemon.is_done() and daemon.folder().verified == number, "all is verified")

        assert number == story.server.sent(), name
        assert number == daemon.folder().files, name
    assert len(daemon.events("scanned")) == 1


def test_what_is_deleted_is_forgotten_here_and_kept_there(story: Story) -> None:
    """Files and directories that go leave the ledger before the next scan, but not the server."""
    daemon = _synced(story, "tree")
    shutil.rmtree(story.photos / "tree/a")
    (story.photos / "tree/top.jpg").unlink()
    until(lambda: story.known() == story.lying(), "the ledger names what lies there")

    until(lambda: daemon.folder().files == 2, "nothing is looked for any more")
    assert len(TREE) == len(story.server.names())
    assert len(daemon.events("scanned")) == 1


def test_nothing_is_forgotten_when_the_folder_empties(story: Story) -> None:
    """A folder that is suddenly empty is a disk that is not mounted: every file stays known."""
    daemon = _synced(story, "tree")
    before = story.known()
    for path in tuple(story.photos.iterdir()):
        path.rename(story.home / f"kept {path.name}")
    until(lambda: daemon.folder().state == "offline", "the folder is offline")

    assert before == story.known()
    assert len(daemon.problems("folder")) == 1
