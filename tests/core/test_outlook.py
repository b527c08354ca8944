"""What happens next, for every way in which a file may stand."""

from dataclasses import replace

import pytest

from immich_sync.core.explanation import Live
from immich_sync.core.outlook import Prospect, outlook
from immich_sync.core.types import (
    AccountId,
    Asset,
    AssetId,
    Checksum,
    Completeness,
    File,
    FolderId,
    Hold,
    Job,
    Origin,
    Place,
    Priority,
    Stamp,
)

NOW = 1_800_000_000.0
OLD = int((NOW - 86_400) * 1e9)
STAMP = Stamp(10, OLD, 3, OLD)
FRESH = Stamp(10, int(NOW * 1e9), 3, int(NOW * 1e9))
SHA = Checksum(b"s" * 20)
PLACE = Place(FolderId(1), b"", b"a.jpg")
FILE = File(PLACE, STAMP, SHA)
ASSET = Asset(AccountId(1), SHA, AssetId("id"), Origin.UPLOADED, verified_at=NOW - 5)
JOB = Job(PLACE, Priority.NEW, NOW - 1)
LIVE = Live("watching", "", "", None, in_hand=False, looked_at=None, next_scan=NOW + 3600)
DONE = Prospect(
    taken=True, stamp=STAMP, completeness=Completeness.WHOLE, file=FILE, asset=ASSET, job=None,
    dismissed=False, wants_album=False, settle=10.0, live=LIVE, now=NOW,
)  # fmt: skip
NEW = replace(DONE, file=None, asset=None)


@pytest.mark.parametrize(
    ("facts", "said", "at"),
    [
        (replace(DONE, taken=False), "passed over", None),
        (DONE, "in Immich, whole and proved", None),
        (replace(DONE, live=None), "in Immich, whole and proved", None),
        (replace(DONE, live=replace(LIVE, in_hand=True)), "being worked on", NOW),
        (replace(NEW, live=replace(LIVE, looked_at=NOW + 2)), "was seen moving", NOW + 2),
        (
            replace(NEW, live=replace(LIVE, looked_at=NOW + 2, settles_at=NOW + 500,
                                      waits_for="rest")),
            "It is not whole: unless the rest comes until then, it goes up all the same",
            NOW + 500,
        ),
        (
            replace(NEW, live=replace(LIVE, looked_at=NOW + 2, settles_at=NOW + 50,
                                      waits_for="bytes")),
            "It has no bytes: unless they come until then, it is listed as a problem",
            NOW + 50,
        ),
        (replace(NEW, live=replace(LIVE, folder_state="paused")), "(resume)", None),
        (
            replace(NEW, live=replace(LIVE, folder_state="offline", why="no disk")),
            "until the folder is there again (no disk)",
            None,
        ),
        (replace(NEW, live=replace(LIVE, folder_state="unapproved")), "(approve)", None),
        (replace(NEW, job=JOB), "due, as soon as its turn comes: its bytes are read", NOW),
        (replace(NEW, job=replace(JOB, due_at=NOW + 60)), "tried again then", NOW + 60),
        (
            replace(NEW, job=JOB, live=replace(LIVE, server_trouble="it is away")),
            "waits for the server (it is away); then its bytes are read",
            None,
        ),
        (replace(DONE, asset=None, job=JOB), "the server is asked whether it has", NOW),
        (replace(DONE, wants_album=True, job=JOB), "put into its album", NOW),
        (replace(DONE, job=JOB), "looked at again", NOW),
        (replace(NEW, job=JOB, live=None), "No daemon runs. Once one does", None),
        (NEW, "not been noticed yet", NOW + 3600),
        (replace(NEW, live=None), "its bytes are read", None),
        (replace(NEW, stamp=FRESH), "hold still until then (it is new)", NOW + 10),
        (
            replace(NEW, stamp=FRESH, completeness=Completeness.CUT),
            "it is not whole, and is given 10 minutes",
            NOW + 600,
        ),
        (replace(DONE, stamp=FRESH), "hold still until then", NOW + 10),
        (replace(DONE, stamp=None), "forgotten then", NOW + 3600),
        (replace(DONE, stamp=None, live=None), "forgotten then", None),
        (replace(NEW, stamp=None), "no such file", None),
        (replace(NEW, stamp=None, was_in=True), "In Immich nothing changes", None),
        (replace(DONE, file=replace(FILE, incomplete=True)), "as much of it as there is", None),
        (replace(DONE, dismissed=True), "a person dismissed it", None),
        (replace(DONE, file=replace(FILE, hold=Hold.EMPTY)), "it has no bytes", None),
        (replace(DONE, file=replace(FILE, hold=Hold.TOO_LARGE)), "limit on the way", None),
        (replace(DONE, file=replace(FILE, hold=Hold.REJECTED)), "does not take it", None),
        (replace(DONE, file=replace(FILE, hold=Hold.REMOVED)), "removed it from Immich", None),
        (replace(DONE, asset=replace(ASSET, trashed_at=1.0)), "in Immich's trash", None),
        (replace(DONE, asset=replace(ASSET, removed_at=1.0)), "gone from Immich", None),
        (replace(DONE, asset=replace(ASSET, verified_at=None)), "Nothing is due", None),
    ],
)  # fmt: skip
def test_the_next_thing_is_said(facts: Prospect, said: str, at: float | None) -> None:
    """In a sentence, with the time it speaks of."""
    sentence, when = outlook(facts)

    assert said in sentence
    assert sentence[-1] in ".H"  # a sentence, or a command to type
    assert when == pytest.approx(at)


@pytest.mark.parametrize("hold", list(Hold))
def test_every_hold_has_its_words(hold: Hold) -> None:
    """Whatever it is held for, nothing happens by itself."""
    sentence, when = outlook(replace(DONE, file=replace(FILE, hold=hold, note="why")))

    assert sentence.startswith("Nothing")
    assert when is None
