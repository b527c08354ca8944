"""Files and directories that are renamed or moved inside the tree: no upload, no lost count."""

import shutil
from collections.abc import Callable

import pytest

from tests.stories.scene import Daemon, Story, photo, until

Move = Callable[[Story], None]

TREE = ("top.jpg", "a/1.jpg", "a/2.jpg", "a/deep/er/3.jpg", "a-1/4.jpg", "b/5.jpg")


def _synced(story: Story) -> Daemon:
    for name in TREE:
        story.put(name, photo(name))
    daemon = story.start()
    until(lambda: len(story.server.names()) == len(TREE), "all is there")
    until(lambda: daemon.folder().verified == len(TREE), "all is verified")
    return daemon


def _rename_file(story: Story) -> None:
    (story.photos / "top.jpg").rename(story.photos / "renamed.jpg")


def _move_file(story: Story) -> None:
    (story.photos / "a/1.jpg").rename(story.photos / "b/1.jpg")


def _rename_directory(story: Story) -> None:
    (story.photos / "a").rename(story.photos / "z")


def _move_directory(story: Story) -> None:
    """Below a directory that is made just now."""
    (story.photos / "new/one").mkdir(parents=True)
    (story.photos / "a/deep").rename(story.photos / "new/one/deep")


def _swap_directories(story: Story) -> None:
    (story.photos / "a").rename(story.photos / "aside")
    (story.photos / "b").rename(story.photos / "a")
    (story.photos / "aside").rename(story.photos / "b")


def _move_out_and_back(story: Story) -> None:
    (story.photos / "a").rename(story.home / "outside")
    until(lambda: "a/1.jpg" not in story.known(), "it is forgotten")
    (story.home / "outside").rename(story.photos / "b/back")


@pytest.mark.parametrize(
    "move",
    [
        _rename_file,
        _move_file,
        _rename_directory,
        _move_directory,
        _swap_directories,
        _move_out_and_back,
    ],
)
def test_what_is_moved_is_known_at_its_new_place_only(story: Story, move: Move) -> None:
    """Nothing goes up again, and the ledger names what lies there, long before the next scan."""
    daemon = _synced(story)
    move(story)
    until(lambda: story.known() == story.lying(), "the ledger names what lies there")
    until(lambda: daemon.is_done() and daemon.folder().verified == len(TREE), "all is verified")

    assert len(TREE) == story.server.sent()
    assert len(TREE) == daemon.folder().files
    assert len(daemon.events("scanned")) == 1


def test_what_is_deleted_is_forgotten_here_and_kept_there(story: Story) -> None:
    """Files and directories that go leave the ledger before the next scan, but not the server."""
    daemon = _synced(story)
    shutil.rmtree(story.photos / "a")
    (story.photos / "top.jpg").unlink()
    until(lambda: story.known() == story.lying(), "the ledger names what lies there")

    until(lambda: daemon.folder().files == 2, "nothing is looked for any more")
    assert len(TREE) == len(story.server.names())
    assert len(daemon.events("scanned")) == 1


def test_nothing_is_forgotten_when_the_folder_empties(story: Story) -> None:
    """A folder that is suddenly empty is a disk that is not mounted: every file stays known."""
    daemon = _synced(story)
    before = story.known()
    for path in tuple(story.photos.iterdir()):
        path.rename(story.home / f"kept {path.name}")
    until(lambda: daemon.folder().state == "offline", "the folder is offline")

    assert before == story.known()
    assert len(daemon.problems("folder")) == 1
