"""Sidecars travel with their photo; the motion part of a live photo joins no album."""

import shutil
import time
from pathlib import Path

from immich_sync.sandbox import StoredAsset
from immich_sync.sandbox.sample_files import copy_samples
from tests.stories.scene import Story, photo, until


def _xmp(what: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- {what} --></x:xmpmeta>\n'.encode()


CASES: dict[str, tuple[dict[str, bytes], dict[str, str | None]]] = {
    "both": (
        {"IMG.jpg.xmp": _xmp("own"), "IMG.xmp": _xmp("shared"), "IMG.jpg": b""},
        {"IMG.jpg": "own"},
    ),
    "stem": ({"IMG.xmp": _xmp("shared"), "IMG.jpg": b""}, {"IMG.jpg": "shared"}),
    "case": ({"IMG.JPG.XMP": _xmp("upper"), "IMG.JPG": b""}, {"IMG.JPG": "upper"}),
    "mixed case": ({"IMG.XmP": _xmp("mixed"), "IMG.jpg": b""}, {"IMG.jpg": "mixed"}),
    "empty": ({"IMG.jpg.xmp": b"", "IMG.jpg": b""}, {"IMG.jpg": None}),
    "another's": (
        {"IMG_2.jpg.xmp": _xmp("two"), "IMG_1.jpg": b"", "IMG_2.jpg": b"", "IMG_10.jpg": b""},
        {"IMG_1.jpg": None, "IMG_2.jpg": "two", "IMG_10.jpg": None},
    ),
    "a gone one's": ({"IMG.png.xmp": _xmp("of the png"), "IMG.jpg": b""}, {"IMG.jpg": None}),
    "raw": (
        {"IMG.xmp": _xmp("of the raw"), "IMG.dng": b"", "IMG.jpg": b""},
        {"IMG.dng": "of the raw", "IMG.jpg": None},
    ),
    "case of the name": ({"img.jpg.xmp": _xmp("lower"), "IMG.jpg": b""}, {"IMG.jpg": None}),
}
"""A directory's files, sidecars first, and of each photo what its sidecar says."""


def test_each_photo_is_sent_with_its_own_sidecar(story: Story) -> None:
    """`IMG.jpg.xmp` before `IMG.xmp`, in any case; never another photo's, never an empty one."""
    for case, (files, _) in CASES.items():
        for name, content in files.items():
            is_photo = not name.lower().endswith(".xmp")
            story.put(f"{case}/{name}", photo((case, name)) if is_photo else content)
    story.configure({"album": "{parent}"})
    daemon = story.start()
    story.calm(daemon)
    found = {
        case: {asset.name: _said(asset) for asset in story.server.assets() if case in asset.albums}
        for case in CASES
    }

    assert {case: wanted for case, (_, wanted) in CASES.items()} == found
    assert all(".xmp" not in name.lower() for name in story.server.names())


def _said(asset: StoredAsset) -> str | None:
    """What stands in the comment of the sidecar that came with an asset."""
    if asset.sidecar is None:
        return None
    return asset.sidecar.read_text().split("<!-- ")[1].split(" -->")[0]


def test_a_sidecar_that_is_still_being_written_is_waited_for(story: Story) -> None:
    """A photo beside half a sidecar goes up once the sidecar is whole, and with all of it."""
    daemon = story.start()
    content = _xmp("late " * 1000)
    with (story.photos / "IMG.jpg.xmp").open("wb") as writing:
        writing.write(content[:-20])
        writing.flush()
        story.put("IMG.jpg", photo("IMG.jpg"))
        story.put("other.jpg", photo("other.jpg"))
        until(lambda: story.server.names() == ["other.jpg"], "the other is there")
        time.sleep(0.5)
        before = story.server.names()
        writing.write(content[-20:])
    until(lambda: story.server.names() == ["IMG.jpg", "other.jpg"], "both are there")
    (sidecar,) = (asset.sidecar for asset in story.server.assets() if asset.name == "IMG.jpg")

    assert before == ["other.jpg"]
    assert sidecar is not None
    assert sidecar.read_bytes() == content
    assert daemon.folder().failed == 0


def test_the_motion_part_of_a_live_photo_joins_no_album(story: Story, tmp_path: Path) -> None:
    """Both parts go up, and only the still is in the album, whichever came first."""
    samples = {path.name: path for path in copy_samples(tmp_path / "samples")}
    story.configure({"album": "{parent}"})
    daemon = story.start()
    for directory, order in (
        ("still first", ("IMG_0042.HEIC", "IMG_0042.MOV")),
        ("motion first", ("IMG_0042.MOV", "IMG_0042.HEIC")),
    ):
        (story.photos / directory).mkdir()
        for name in order:
            shutil.copy(samples[name], story.photos / directory / name)
    until(lambda: daemon.folder().verified == 4, "all are verified")
    story.calm(daemon)

    assert story.server.names() == ["IMG_0042.HEIC", "IMG_0042.MOV"]
    assert story.server.album("still first") == ["IMG_0042.HEIC"]
    assert story.server.album("motion first") == ["IMG_0042.HEIC"]
