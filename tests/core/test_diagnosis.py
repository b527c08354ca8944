"""What is said of a server and the way to it."""

import pytest

from immich_sync.core import diagnosis
from immich_sync.core.diagnosis import ERROR, OK, WARNING, Finding


def judged(finding: Finding | None) -> tuple[str, bool]:
    """How bad it is, and whether something can be done about it."""
    assert finding is not None
    assert finding.said.endswith(".")
    return finding.level, bool(finding.remedy)


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((1, 140, 0), ERROR),
        ((2, 6, 9), ERROR),
        ((2, 7, 0), OK),
        ((3, 9, 1), OK),
        ((4, 0, 0), WARNING),
    ],
)
def test_versions_are_known_or_said_to_be_not(version: tuple[int, int, int], level: str) -> None:
    """2.7 to 3.x are known; what is older fails, what is newer is told."""
    finding = diagnosis.version("default", version)

    assert judged(finding) == (level, level != OK)
    assert ".".join(map(str, version)) in finding.said


def test_a_missing_permission_is_named() -> None:
    """And nothing else is asked for."""
    bad = diagnosis.key("anna", ["asset.upload", "album.read"], ["album.read"])
    good = diagnosis.key("anna", ["asset.upload"], [])

    assert (bad.level, bad.said) == (ERROR, "The API key lacks album.read.")
    assert judged(good) == (OK, False)


@pytest.mark.parametrize(
    ("ahead", "level", "said"),
    [
        (None, OK, "does not tell"),
        (59.0, OK, "agree"),
        (-59.0, OK, "agree"),
        (90.0, WARNING, "90 seconds ahead of"),
        (-7200.0, WARNING, "2 hours behind"),
        (400_000.0, WARNING, "5 days ahead of"),
    ],
)
def test_clocks_that_differ_are_told(ahead: float | None, level: str, said: str) -> None:
    """With how much, and which way."""
    finding = diagnosis.clock("default", ahead)

    assert finding.level == level
    assert said in finding.said


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("https://photos.example.com", False),
        ("http://photos.example.com", True),
        ("http://8.8.8.8:2283", True),
        ("http://192.168.1.5:2283", False),
        ("http://127.0.0.1:2283", False),
        ("http://[fd00::1]:2283", False),
        ("http://nas:2283", False),
        ("http://nas.local", False),
    ],
)
def test_a_key_in_the_clear_is_told(url: str, *, warned: bool) -> None:
    """Over the internet; at home it is everybody's own affair."""
    finding = diagnosis.secrecy("default", url)

    assert (finding is not None and finding.level == WARNING) == warned


@pytest.mark.parametrize(
    ("taken", "refused", "largest", "level"),
    [
        (10**9, None, 10**6, OK),
        (99_000_000, 10**9, 10**6, WARNING),
        (99_000_000, 10**9, 10**8, ERROR),
        (0, 2_000_000, 1, ERROR),
    ],
)
def test_a_limit_on_the_way_matters_by_the_files(
    taken: int, refused: int | None, largest: int, level: str
) -> None:
    """It is an error if a file that is there would not pass."""
    assert diagnosis.passage("default", taken, refused, largest).level == level
