"""Whose a sidecar is, when it might be deleted: in doubt somebody's."""

import pytest

from immich_sync.removing import users


@pytest.mark.parametrize(
    ("sidecar", "names", "found"),
    [
        (b"a.jpg.xmp", [b"b.jpg", b"a.png"], []),
        (b"a.jpg.xmp", [b"a.jpg"], [b"a.jpg"]),
        (b"a.jpg.xmp", [b"A.JPG"], [b"A.JPG"]),
        (b"a.xmp", [b"a.jpg", b"b.jpg", b"a.mov"], [b"a.jpg", b"a.mov"]),
        (b"a.xmp", [b"a.txt", b"a.future", b"a"], [b"a.txt", b"a.future", b"a"]),
        (b"a.XMP", [b"A.dng"], [b"A.dng"]),
        (b"a.b.xmp", [b"a.jpg"], []),
        (b"a.xmp", [b"a.xmp", b"a.jpg.xmp"], []),
    ],
)
def test_users(sidecar: bytes, names: list[bytes], found: list[bytes]) -> None:
    """Whatever bears the name of a sidecar but for its end counts, but no other sidecar."""
    assert users(sidecar, names) == found
