"""Syncthing beside us: photos appear under a temporary name, grow, and are renamed into place."""

from tests.stories.scene import Story, photo, until


def test_every_photo_arrives_once_and_no_temporary_ever_does(story: Story) -> None:
    """What Syncthing receives is uploaded once it has its name, and nothing else is."""
    daemon = story.start()
    for number in range(3):
        name, content = f"IMG_{number}.jpg", photo(number, 300_000)
        temporary = story.photos / f".syncthing.{name}.tmp"
        with temporary.open("wb") as growing:
            for start in range(0, len(content), 100_000):
                growing.write(content[start : start + 100_000])
                growing.flush()
        temporary.rename(story.photos / name)
    until(lambda: len(story.server.names()) == 3, "three photos are there")
    story.calm(daemon)

    assert [f"IMG_{n}.jpg" for n in range(3)] == story.server.names()
