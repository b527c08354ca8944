"""kill -9 whenever it happens to come, from the first moment of the process on."""

import time
from random import Random

from immich_sync.sandbox import Delay
from tests.real.scene import ends_well, often, proved
from tests.stories.scene import Daemon, Story, photo, until

KILLS = often(6)
STARTING = 0.8
"""Seconds that a start takes at most, on a machine that has time."""


def _lives(daemon: Daemon, kill: int, dice: Random) -> None:
    """Until the moment of its death: every other one is in the start, the others at work."""
    if kill % 2 == 0:
        time.sleep(dice.random() * STARTING * (kill > 0))
    else:
        until(lambda: daemon.events("uploaded"), "it is at work")
        time.sleep(dice.random() * 0.3)


def test_no_moment_of_death_loses_or_doubles_anything(story: Story) -> None:
    """Killed at random moments while files arrive: what is marked as proved is there, each time.

    In the end all is there, once, in its album.
    """
    dice = Random(KILLS)  # noqa: S311 - moments, no secret
    story.configure({"album": "{parent}"}, uploads=3)
    slowly = story.server.break_uploads(Delay(0.05))
    contents = []
    for kill in range(KILLS):
        for n in range(6):
            contents.append(photo(f"{kill} {n}", dice.randrange(1000, 100_000)))
            story.put(f"{('Alps', 'Beach')[n % 2]}/IMG_{kill}_{n}.jpg", contents[-1])
        daemon = story.launch()
        _lives(daemon, kill, dice)
        daemon.kill()
        assert daemon.process.returncode == -9, daemon.words()
        assert proved(story.state) <= set(story.server.checksums())
    assert story.daemons[0].words() == ""  # it died before it had said a word
    assert slowly.fired > 0

    daemon = story.start()
    ends_well(story, daemon, contents, within=60)
    assert len(story.server.sandbox.albums()) == 2
    assert len(story.server.album("Alps")) == len(story.server.album("Beach")) == KILLS * 3
