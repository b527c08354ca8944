"""Names as they occur: each is uploaded under the right one and known again after a restart."""

import os

from immich_sync.sandbox import TooLarge
from tests.stories.scene import Story, photo, until

NAMES = {
    b"with  spaces .jpg": "with  spaces .jpg",
    b" leading.jpg": " leading.jpg",
    b"quo\"te's.jpg": "quo\"te's.jpg",
    b"new\nline\r\t.jpg": "new\nline\r\t.jpg",
    "Strand 🏖️ 👨‍👩‍👧.jpg".encode(): "Strand 🏖️ 👨‍👩‍👧.jpg",
    b"100%.jpg": "100%.jpg",
    b"%41%s%n.jpg": "%41%s%n.jpg",
    b"back\\slash.jpg": "back\\slash.jpg",
    b"semi;colon=1.jpg": "semi;colon=1.jpg",
    b"-rf.jpg": "-rf.jpg",
    b"--config.jpg": "--config.jpg",
    ("ä" * 118 + ".jpg").encode(): "ä" * 118 + ".jpg",
    b"caf\xe9.jpg": "café.jpg",
    b"\x81\xff.jpg": "\N{REPLACEMENT CHARACTER}ÿ.jpg",
    b"gr\xc3\xbc\xc3\x9fe.jpg": "grüße.jpg",
    b"twin \xc3\xa9.jpg": "twin \N{LATIN SMALL LETTER E WITH ACUTE}.jpg",
    b"twin e\xcc\x81.jpg": "twin e\N{COMBINING ACUTE ACCENT}.jpg",
    b"UPPER.JPG": "UPPER.JPG",
    b"two.dots..jpg": "two.dots..jpg",
}
FOLDERS = {
    b"": "photos",
    b"odd\n%s\xff folder": "odd %sÿ folder",
    b"-dash/\xe9t\xe9": "été",
}
"""Directories and the album that {parent} makes of each."""


def test_every_name_is_told_the_server_as_it_is(story: Story) -> None:
    """Whatever a file is called: it goes up under that name, into the album of its directory."""
    _fill(story)
    daemon = story.start()
    story.calm(daemon)

    expected = sorted(shown for shown in NAMES.values() for _ in FOLDERS)
    assert expected == story.server.names()
    for album in FOLDERS.values():
        assert sorted(NAMES.values()) == story.server.album(album)
    assert len(FOLDERS) == len(story.server.sandbox.albums())


def test_every_name_is_known_again_after_a_restart(story: Story) -> None:
    """The second start finds nothing due and asks the server about no file."""
    _fill(story)
    first = story.start()
    story.calm(first)
    first.stop()
    story.server.sandbox.requests.clear()
    second = story.start()
    story.calm(second)

    assert (second.events("scanned")[0]["due"], second.events("scanned")[0]["gone"]) == (0, 0)
    assert story.server.sent() == -1  # the first start's marker is not among the requests
    assert len(NAMES) * len(FOLDERS) + 2 == second.folder().verified


def test_a_file_of_any_name_can_be_ordered_about(story: Story) -> None:
    """`retry PATH` takes every name that the shell can hand over, and `status` can show it."""
    story.server.break_uploads(TooLarge(), times=len(NAMES))
    paths = [story.put(os.fsdecode(name), photo(name)) for name in NAMES]
    daemon = story.start()
    until(lambda: len(daemon.problems("too_large")) == len(NAMES), "every file is listed")
    shown = story.command("status")
    retried = story.typed("retry", *paths)
    until(lambda: len(story.server.names()) == len(NAMES), "every file is there")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert (retried.returncode, retried.stderr) == (0, "")


def _fill(story: Story) -> None:
    story.configure({"album": "{parent}"})
    for directory in FOLDERS:
        for name in NAMES:
            path = os.fsdecode(directory + b"/" + name if directory else name)
            story.put(path, photo((directory, name)))
