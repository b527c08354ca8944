"""What is said beforehand of a cleanup: by explain, by the dry run and by doctor."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from immich_sync import doctor
from immich_sync.explaining import explain
from immich_sync.rehearsal import rehearse
from tests.scene import Household, household, photo

pytestmark = pytest.mark.anyio

DAY = 86_400.0


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Household]:
    """A folder that is synced, and will be cleaned after a day."""
    async with household(tmp_path) as made:
        made.put("1.jpg", photo(1))
        (tmp_path / "aside").mkdir()
        aside = os.fsencode(tmp_path / "aside")
        made.configure(after_upload="quarantine", cleanup_after=DAY, quarantine_dir=aside)
        assert await made.sync() == 0
        yield made


def _ask(home: Household, *, name: str = "1.jpg") -> tuple[str, float | None]:
    now = (home.photos / name).stat().st_ctime
    found = explain(home.setup, os.fsencode(home.photos / name), now=now)
    return found.next, found.next_at


async def test_explain_says_when(home: Household) -> None:
    """A day after all of it is known, and not after the photo was taken."""
    changed = (home.photos / "1.jpg").stat().st_ctime

    what, at = _ask(home)

    assert what == "Unless something speaks against it until then, it goes into quarantine."
    assert at is not None
    assert changed + DAY <= at < changed + DAY + 120


async def test_explain_says_which_fact_keeps_it(home: Household) -> None:
    """Long before its time, and without a time, for waiting does not help."""
    (home.photos / "1.jpg.xmp").write_bytes(b"<x/>")

    what, at = _ask(home)
    assert what.startswith("It is not cleaned away. It is kept: its sidecar 1.jpg.xmp is not in")
    assert at is None

    (home.photos / "1.jpg.xmp").unlink()
    (home.photos / ".stfolder").mkdir()
    assert "Syncthing shares it" in _ask(home)[0]


@pytest.mark.parametrize("old_enough", [True, False])
async def test_the_dry_run_lists_what_is_ripe(home: Household, *, old_enough: bool) -> None:
    """What Immich has, outside its trash, and nothing that has still to wait."""
    kept = home.put("2.jpg", photo(2))
    home.configure(cleanup_after=0.01 if old_enough else DAY)

    [said] = (await rehearse(home.setup)).folders

    assert said.to_clean == ((str(home.photos / "1.jpg"),) if old_enough else ())
    assert kept.exists()
    if old_enough:
        await home.throw_away(["1.jpg"], for_good=False)
        [said] = (await rehearse(home.setup)).folders
        assert said.to_clean == ()


async def test_doctor_tells_what_a_cleanup_will_do(home: Household) -> None:
    """Where the files go; and that what is deleted cannot be brought back."""
    [finding] = [
        one for one in (await doctor.examine(home.setup)).findings if one.what == "cleanup"
    ]
    assert (finding.level, f"goes to {home.home}/aside" in finding.said) == ("ok", True)

    home.configure(after_upload="delete", quarantine_dir=b"")
    [finding] = [
        one for one in (await doctor.examine(home.setup)).findings if one.what == "cleanup"
    ]
    assert (finding.level, "undo" in finding.remedy) == ("warning", True)
