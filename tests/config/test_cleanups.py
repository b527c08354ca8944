"""A folder that Syncthing shares, or that cannot be written, is not cleaned by configuration."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from immich_sync.config import load, resolve
from immich_sync.core.errors import Misconfigured
from tests.config.test_mistakes import FOLDER, QUARANTINE

WRITE = Callable[[str], Path]
DELETE = FOLDER + 'after_upload = "delete"\n'


@pytest.mark.parametrize("where", ["photos", "photos/a/b", "."])
def test_what_syncthing_shares_is_not_cleaned(write: WRITE, tmp_path: Path, where: str) -> None:
    """Its marker in the root, above it or below it is an error that says what would happen."""
    file = write(DELETE)
    (tmp_path / where / ".stfolder").mkdir(parents=True)

    with pytest.raises(Misconfigured, match=r"deleted on the phone too; if that is wanted, write"):
        resolve(load(file))


def test_a_person_may_want_the_phone_emptied(write: WRITE, tmp_path: Path) -> None:
    """With deletes_reach_phone the same folder can be cleaned."""
    file = write(DELETE + "deletes_reach_phone = true\n")
    (tmp_path / "photos" / ".stfolder").mkdir()

    [folder] = resolve(load(file)).folders

    assert folder.cleans


def test_a_quarantine_is_found(write: WRITE, tmp_path: Path) -> None:
    """What is written arrives: mode, times in seconds, and a place without links in it."""
    (tmp_path / "aside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "aside")
    wanted = 'quarantine_dir = "{tmp}/link"\ncleanup_after = "2d"\nquarantine_for = "1h"\n'

    [folder] = resolve(load(write(QUARANTINE + wanted))).folders

    assert folder.after_upload == "quarantine"
    assert (folder.cleanup_after, folder.quarantine_for) == (2 * 86400.0, 3600.0)
    assert folder.quarantine_dir == bytes(tmp_path / "aside")


@pytest.mark.root
def test_a_folder_that_is_mounted_read_only_is_not_cleaned(write: WRITE, tmp_path: Path) -> None:
    """Said at once, and not a month later by each file; for root, too, whom no mode forbids."""
    file = write(DELETE)
    photos = tmp_path / "photos"
    _root("mount", "-t", "tmpfs", "test", photos)
    try:
        _root("mount", "-o", "remount,ro", photos)
        with pytest.raises(Misconfigured, match=r"mounted read-only.*after_upload = .keep."):
            resolve(load(file))
        _root("mount", "-o", "remount,rw", photos)
        assert resolve(load(file)).folders[0].cleans
    finally:
        _root("umount", photos)


def _root(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True)  # noqa: S603 - our own
    if done.returncode:
        pytest.skip(f"{command[0]} is not possible here")
