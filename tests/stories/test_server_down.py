"""The server is down overnight: photos pile up, nobody hammers it, and all of them arrive."""

import os
import time

from immich_sync.sandbox import Exchange, Status
from immich_sync.store.database import open_read_only
from tests.stories.scene import Daemon, Story, photo, sha1, until

FILES = 500
TRUE_TIMES = os.environ.get("TRUE_TIMES") == "1"
PHASE = 30.0 if TRUE_TIMES else 4.0
"""Seconds for which the server refuses connections, and then for which it answers 503."""
PROBE_EVERY = 5.0 if TRUE_TIMES else 1.0
"""Seconds between two probes."""
PER_PROBE = 2
"""Requests that one probe may take: whether it is Immich, and whether it takes the key."""
IN_HAND = 5 + 2
"""Requests that may be on their way when it goes down: the uploads, a check, an album."""


def _album(story: Story) -> None:
    story.configure({"album": "Overnight"}, probe_every=f"{PROBE_EVERY:g}s")


def _jobs(story: Story) -> tuple[int, int, int]:
    """How many jobs the state holds, how many attempts they used up, how many ever failed."""
    database = open_read_only(story.state / "state.db")
    try:
        with database.reading() as connection:
            rows = connection.execute(
                "SELECT count(*), coalesce(sum(attempts), 0), count(failing_since) FROM job"
            )
            jobs, attempts, failing = rows.fetchone()
            return jobs, attempts, failing
    finally:
        database.close()


def _is_down(daemon: Daemon) -> bool:
    return daemon.status().server.reachable is False


def _is_probe(exchange: Exchange) -> bool:
    return exchange.method == "GET" and exchange.path.startswith(
        ("/api/server/ping", "/api/api-keys/me")
    )


def test_no_file_uses_up_an_attempt_and_all_arrive(story: Story) -> None:
    """500 photos come while the server refuses, then answers 503: in the end all are there."""
    _album(story)
    daemon = story.start()
    story.server.refuse()
    began = time.monotonic()
    names = [f"{n // 50}/IMG_{n}.jpg" for n in range(FILES)]
    for name in names:
        story.put(name, photo(name))
    until(lambda: _is_down(daemon), "it says that the server is down")
    until(lambda: _jobs(story)[0] == FILES, "every photo is due")
    time.sleep(max(0.0, began + PHASE - time.monotonic()))
    assert _jobs(story) == (FILES, 0, 0)

    # From here on every knock can be counted.
    before = len(story.server.sandbox.requests)
    outage = story.server.sandbox.faults.add(Status(503))
    story.server.accept()
    time.sleep(PHASE)
    asked = story.server.sandbox.requests[before:]
    assert asked
    assert [one for one in asked if not _is_probe(one)] == []
    assert len(asked) <= PER_PROBE * (1 + PHASE / PROBE_EVERY)
    assert _is_down(daemon)
    assert _jobs(story) == (FILES, 0, 0)

    story.server.sandbox.faults.remove(outage)
    until(lambda: len(story.server.assets()) == FILES, "all photos are there", within=60)
    until(daemon.is_done, "nothing is due any more")
    assert sorted(sha1(photo(name)) for name in names) == story.server.checksums()
    assert len(story.server.album("Overnight")) == FILES
    assert (daemon.folder().verified, daemon.status().jobs.failed) == (FILES, 0)
    assert daemon.events("retry_scheduled") == []


def test_what_is_in_hand_when_it_goes_down_is_all_that_knocks(story: Story) -> None:
    """503 in the middle of the work: what was on its way is answered so, then one probe at a time.

    Whoever waited for its turn does not try for itself.
    """
    _album(story)
    daemon = story.start()
    names = [f"IMG_{n}.jpg" for n in range(150)]
    for name in names[:100]:
        story.put(name, photo(name, 20_000))
    until(lambda: len(story.server.assets()) > 10, "the work is under way")
    outage = story.server.sandbox.faults.add(Status(503))
    until(lambda: _is_down(daemon), "it says that the server is down")
    for name in names[100:]:
        story.put(name, photo(name, 20_000))
    time.sleep(3 * PROBE_EVERY)
    refused = [one for one in story.server.sandbox.requests if one.status == 503]
    knocks = [one for one in refused if not _is_probe(one)]
    assert len(knocks) <= IN_HAND
    assert len(refused) - len(knocks) <= PER_PROBE * 4

    story.server.sandbox.faults.remove(outage)
    until(lambda: len(story.server.assets()) == len(names), "all photos are there")
    until(daemon.is_done, "nothing is due any more")
    assert sorted(sha1(photo(name, 20_000)) for name in names) == story.server.checksums()
    assert daemon.events("retry_scheduled") == []
