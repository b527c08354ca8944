"""Sizes, counts and spans."""

import pytest

from immich_sync.cli.screens import words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (47000, "46 kB"),
        (3_565_158, "3.4 MB"),
        (5 * 1024**5, "5120.0 TB"),
    ],
)
def test_sizes_are_short(number: int, text: str) -> None:
    """At most one digit behind the point, and only where it tells something."""
    assert words.size(number) == text


def test_one_thing_is_not_many() -> None:
    """A single one has no plural; thousands are set apart."""
    assert words.count(1, "photo") == "1 photo"
    assert words.count(12345, "photo") == "12,345 photos"
    assert words.count(0, "entry", "entries") == "0 entries"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.31, "0.3 s"), (42, "42 s"), (300, "5 min"), (7200, "2 h"), (3 * 86400, "3 d")],
)
def test_a_span_has_one_unit(seconds: float, text: str) -> None:
    """The largest that fits."""
    assert words.span(seconds) == text


def test_what_never_was_is_said_so() -> None:
    """None is never; a clock that was put back is now."""
    assert words.ago(None, 100) == "never"
    assert words.ago(40, 100) == "1 min ago"
    assert words.ago(200, 100) == "0.0 s ago"
