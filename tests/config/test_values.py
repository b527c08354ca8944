"""Durations, sizes and the other single values."""

from collections.abc import Callable
from datetime import UTC, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.config import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("5m", 300), ("6h", 21600), ("30d", 2592000), (" 1.5h ", 5400)],
)
def test_durations_are_read_in_seconds(text: str, seconds: float) -> None:
    """A number and a unit make seconds."""
    assert seconds == values.duration(text)


@pytest.mark.parametrize("text", ["10", 10, "", "s", "-1s", "1e3s", "10 sec", "0s", "400d", None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    """A bare number, nonsense, nothing at all and more than a year are no durations."""
    with pytest.raises(ValueError, match=r"is not a duration|out of range"):
        values.duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512k", 512 * 1024), ("20M", 20 * 1024**2), ("4G", 4 * 1024**3), ("7", 7)]
)
def test_sizes_are_read_in_bytes(text: str, size: int) -> None:
    """Units are powers of 1024."""
    assert size == values.size(text)


def test_a_time_of_day_is_text_or_tomls_own() -> None:
    """Both spellings mean the same; a time with a zone means something else and is refused."""
    assert values.clock_time("03:30") == values.clock_time(time(3, 30)) == time(3, 30)
    for wrong in ("24:00", "3:60", "3", time(3, 30, tzinfo=UTC), 330):
        with pytest.raises(ValueError, match="is not a time of day"):
            values.clock_time(wrong)


def test_yes_and_no_are_words_or_tomls_own() -> None:
    """The environment has words only; a number other than 0 and 1 is neither."""
    assert [values.yes_or_no(one) for one in (True, "YES", "1")] == [True, True, True]
    assert [values.yes_or_no(one) for one in (False, "off", "0")] == [False, False, False]
    with pytest.raises(ValueError, match="neither true nor false"):
        values.yes_or_no(2)


def test_whole_numbers_keep_to_their_range() -> None:
    """Texts count (the environment has no numbers), true and fractions do not."""
    read = values.whole(1, 64)

    assert [read(8), read("8")] == [8, 8]
    for wrong in (True, 1.5, "8.0", 0, 65, "9" * 30, -1):
        with pytest.raises(ValueError, match=r"is not a whole number|out of range"):
            read(wrong)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.times(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "read",
    [
        values.duration,
        values.size,
        values.clock_time,
        values.yes_or_no,
        values.whole(1, 64),
        values.one_of("auto", "poll"),
        values.text,
        values.something,
        values.path,
        values.patterns,
    ],
)
@given(value=anything)
def test_no_value_gives_anything_but_a_sentence(
    read: Callable[[object], object], value: object
) -> None:
    """Every reader answers every value with a result or with a ValueError that says something."""
    try:
        read(value)
    except ValueError as error:
        assert str(error)  # noqa: PT017 -- most values are wrong, some are not


@pytest.mark.parametrize("value", [10**5000, "x" * 5000], ids=["digits", "text"])
def test_a_long_value_is_shown_in_part(value: object) -> None:
    """An error stays a sentence however long the mistake is."""
    assert len(values.seen(value)) <= 60
