"""The lines that remember what a person took out of Immich."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.tombstones import (
    Condition,
    Line,
    Why,
    adds,
    after,
    condition,
    merged,
    read,
    standing,
    written,
)
from immich_sync.core.types import Checksum, Hold

ONE, TWO = Checksum(b"\x01" * 20), Checksum(b"\x02" * 20)
LINE = Line(1_780_000_000.0, "http://nas:2283", "anna", ONE, Why.TRASHED)

lines = st.builds(
    Line,
    at=st.integers(0, 4_000_000_000).map(float),
    server=st.text(max_size=9),
    user=st.sampled_from(["anna", "ben", 'a"\n\\']),
    checksum=st.binary(min_size=20, max_size=20).map(Checksum),
    why=st.sampled_from(Why),
)


@given(st.lists(lines))
def test_what_is_written_is_read(said: list[Line]) -> None:
    """Whatever names hold, each line is one line, and comes back as it was."""
    data = b"".join(map(written, said))

    assert said == list(read(data.splitlines(keepends=True)))
    assert data.count(b"\n") == len(said)


@given(st.lists(lines, min_size=1), st.data())
def test_a_torn_line_costs_itself_alone(said: list[Line], data: st.DataObject) -> None:
    """A power cut in the middle of the last line leaves all the others."""
    whole = b"".join(map(written, said))
    torn = data.draw(st.integers(len(whole) - len(written(said[-1])), len(whole) - 2))
    following = whole[:torn] + b"\n" + written(LINE)

    assert said[:-1] == list(read(whole[:torn].splitlines(keepends=True)))
    assert [*said[:-1], LINE] == list(read(following.splitlines(keepends=True)))


@given(st.binary())
def test_rubbish_is_passed_over(data: bytes) -> None:
    """Whatever a broken disk makes of a line, the next one is read."""
    assert list(read([data.replace(b"\n", b""), written(LINE)]))[-1:] == [LINE]


@pytest.mark.parametrize(
    "damaged",
    [
        written(LINE).replace(b"01" * 20, b"01" * 19),
        written(LINE).replace(b"trashed", b"dreamt"),
        written(LINE).replace(b'"why"', b'"because"'),
        b"[" * 100_000,
        b"[]",
        b"",
    ],
)
def test_a_line_that_says_something_else_is_passed_over(damaged: bytes) -> None:
    """A short checksum, an unknown reason, a missing field, no object at all."""
    assert list(read([damaged])) == []


def _line(why: Why, checksum: Checksum = ONE, user: str = "anna") -> Line:
    return Line(0.0, "", user, checksum, why)


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ([], {}),
        ([_line(Why.TRASHED)], {ONE: Hold.REMOVED}),
        ([_line(Why.MISSING), _line(Why.REMOVED)], {ONE: Hold.REMOVED}),
        ([_line(Why.TRASHED), _line(Why.BACK)], {}),
        ([_line(Why.REMOVED), _line(Why.WANTED), _line(Why.MISSING)], {ONE: Hold.MISSING}),
        ([_line(Why.WANTED)], {}),
        ([_line(Why.REMOVED), _line(Why.WANTED, TWO)], {ONE: Hold.REMOVED}),
        ([_line(Why.REMOVED), _line(Why.WANTED, user="ben")], {ONE: Hold.REMOVED}),
        ([_line(Why.REMOVED, user="ben")], {}),
    ],
)
def test_the_last_word_on_a_checksum_counts(said: list[Line], stands: dict[Checksum, Hold]) -> None:
    """For each user apart."""
    assert standing(said, "anna") == stands


@pytest.mark.parametrize(
    ("why", "before", "new"),
    [
        (Why.TRASHED, None, True),
        (Why.TRASHED, Hold.MISSING, True),
        (Why.TRASHED, Hold.REMOVED, False),
        (Why.MISSING, Hold.REMOVED, False),
        (Why.MISSING, Hold.MISSING, False),
        (Why.BACK, None, False),
        (Why.WANTED, Hold.MISSING, True),
    ],
)
def test_only_news_is_written(why: Why, before: Hold | None, *, new: bool) -> None:
    """The file grows with what people do, not with how often it is noticed."""
    assert adds(why, before) is new
    assert after(Why.BACK) is None


def _stone(sha1: int, why: Why, at: float) -> bytes:
    return written(Line(at, "http://nas", "anna", Checksum(bytes([sha1]) * 20), why))


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_line_that_was_cut_off_is_torn(cut: int) -> None:
    """Wherever: by a power cut, at the end or, gone on after it, in the middle."""
    line = _stone(1, Why.REMOVED, 1.0)
    torn = line[: len(line) * cut // 10]

    assert condition([line, torn]) == Condition(lines=1, torn=1)
    assert condition([torn + b"\n", line]) == Condition(lines=1, torn=1)


@pytest.mark.parametrize(
    "said",
    [
        b"\0" * 40 + b"\n",
        b"",
        _stone(1, Why.REMOVED, 1.0).replace(b"removed", b"remoxed"),
        _stone(1, Why.REMOVED, 1.0).replace(b'"user"', b'"us\x00r"')[:70],
        b"[]\n",
    ],
)
def test_what_is_no_line_nor_the_beginning_of_one_is_damage(said: bytes) -> None:
    """An empty line is no beginning that anybody needs to be told of, and harmless."""
    found = condition([said])

    assert found == (Condition(torn=1) if said == b"" else Condition(damaged=1))


def test_lines_of_two_files_are_joined_by_their_times() -> None:
    """What was revoked before is revoked before, whichever file says it."""
    removed, back = _stone(1, Why.REMOVED, 1.0), _stone(1, Why.BACK, 2.0)
    again = _stone(1, Why.REMOVED, 3.0)

    assert merged([again], [removed, back]) == [removed, back, again]
    assert merged([removed, again], [removed, back]) == [removed, back, again]
    assert merged([removed, back, again], [removed]) == [removed, back, again]
    assert merged([removed[:-1]], []) == [removed]
    assert merged([removed], [_stone(2, Why.REMOVED, 1.0)]) == [
        _stone(2, Why.REMOVED, 1.0), removed,
    ]  # fmt: skip


STONES = st.lists(
    st.builds(_stone, st.integers(0, 3), st.sampled_from(Why), st.integers(0, 9).map(float))
    | st.just(b"torn\n"),
    max_size=9,
)


@given(STONES, STONES)
def test_no_line_of_two_files_is_lost(ours: list[bytes], older: list[bytes]) -> None:
    """All of ours in their order, all of theirs that we lack in theirs, and nothing else."""
    joined = merged(ours, older)
    missing = [line for line in older if line not in set(ours)]

    assert [line for line in joined if line in set(ours)] == ours
    assert [line for line in joined if line not in set(ours)] == missing


@given(STONES, st.integers(0, 9))
def test_a_backup_taken_at_any_time_changes_nothing(ours: list[bytes], cut: int) -> None:
    """What a file said earlier is known to it."""
    assert merged(ours, ours[:cut]) == ours


@given(STONES, STONES)
def test_what_was_removed_since_stays_removed(ours: list[bytes], older: list[bytes]) -> None:
    """A removal that is the last and the latest word anywhere is the last word afterwards."""
    removal = _stone(1, Why.REMOVED, 10.0)

    assert standing(read(merged([*ours, removal], older)), "anna")[Checksum(b"\1" * 20)] is (
        Hold.REMOVED
    )
