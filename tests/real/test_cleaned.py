"""A cleanup by the real process, into a quarantine on another file system, and back."""

import pytest

from tests.real.scene import mounted
from tests.stories.scene import Story, photo, until

pytestmark = pytest.mark.root


def test_a_photo_goes_to_another_file_system_and_back(story: Story) -> None:
    """Copied, read back, and gone from its folder; what does not fit there stays, and is told."""
    aside = story.home / "aside"
    big = photo("big", 3_000_000)
    with mounted(story, aside, "size=2m"):
        story.configure(
            {"after_upload": "quarantine", "quarantine_dir": str(aside), "cleanup_after": "1s"}
        )
        first = story.put("d/1.jpg", photo(1, 500_000))
        daemon = story.start()
        there = aside / first.parent.parent.name / "d" / "1.jpg"
        until(there.exists, "it lies aside")
        assert not first.exists()
        assert there.read_bytes() == photo(1, 500_000)

        second = story.put("d/2.jpg", big)
        [told] = until(lambda: daemon.problems("quarantine"), "it is said that nothing fits")
        assert "No space left" in told.advice
        assert second.read_bytes() == big
        assert sorted(one.name for one in there.parent.iterdir()) == ["1.jpg"]

        daemon.order("undo", first)
        assert first.read_bytes() == photo(1, 500_000)
        assert not there.exists()
