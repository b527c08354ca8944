"""A run that ends by itself cleans as well, and a broken folder breaks nothing else."""

import os
from pathlib import Path

import pytest

from immich_sync.undoing import Wish, undo_alone
from tests.scene import household, photo

pytestmark = pytest.mark.anyio


async def test_a_single_run_cleans_what_is_ripe_and_undo_brings_it_back(tmp_path: Path) -> None:
    """For cron: what an earlier run proved goes; without a daemon it comes back."""
    async with household(tmp_path) as home:
        kept = home.put("d/1.jpg", photo(1))
        (tmp_path / "aside").mkdir()
        aside = os.fsencode(tmp_path / "aside")
        home.configure(after_upload="quarantine", cleanup_after=0.01, quarantine_dir=aside)
        await home.sync()
        code = await home.sync()

        there = tmp_path / "aside" / "photos" / "d" / "1.jpg"
        assert (code, kept.exists(), there.read_bytes()) == (0, False, photo(1))

        [told] = await undo_alone(home.setup, Wish(since=0.0))

        assert (told.back, told.path) == (True, str(kept))
        assert (kept.read_bytes(), there.exists()) == (photo(1), False)
        assert await home.sync() == 0
        assert kept.exists()
        assert len(home.sandbox.assets()) == 1


async def test_a_quarantine_that_is_gone_keeps_everything(tmp_path: Path) -> None:
    """Photos go up as ever, and stay where they are."""
    async with household(tmp_path) as home:
        kept = home.put("1.jpg", photo(1))
        aside = os.fsencode(tmp_path / "none")
        home.configure(after_upload="quarantine", cleanup_after=0.01, quarantine_dir=aside)
        await home.sync()

        assert await home.sync() == 0
        assert kept.exists()
        assert not (tmp_path / "none").exists()
