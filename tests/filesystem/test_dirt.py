"""Facts about the bounded set of dirty directories."""

from immich_sync.core.types import Evidence
from immich_sync.filesystem.dirt import DIRECTORIES, NAMES, NAMES_OF_ONE, Dirt


def test_what_is_taken_is_gone() -> None:
    """Everything noted comes once, and then nothing."""
    dirt = Dirt()
    dirt.note(b"a")
    dirt.note(b"a", b"x.jpg", Evidence.BEGUN)
    dirt.note(b"", b"y.jpg", Evidence.FINISHED)

    taken = dirt.take()

    assert taken is not None
    expected = {b"a": {b"x.jpg": Evidence.BEGUN}, b"": {b"y.jpg": Evidence.FINISHED}}
    assert (taken.directories, taken.scan) == (expected, "")
    assert dirt.take() is None


def test_news_is_told_once_until_it_is_taken() -> None:
    """One ring of the bell is enough, however much comes before somebody takes it."""
    dirt = Dirt()
    assert not dirt.is_news()
    dirt.note(b"a")
    assert dirt.is_news()
    dirt.note(b"b")
    dirt.scan("an overflow")
    assert not dirt.is_news()
    dirt.take()
    assert not dirt.is_news()
    dirt.scan("an overflow")
    assert dirt.is_news()


def test_the_last_evidence_counts() -> None:
    """A file closed and then made anew is being written."""
    dirt = Dirt()
    for evidence in (Evidence.BEGUN, Evidence.FINISHED, Evidence.NONE, Evidence.BEGUN):
        dirt.note(b"a", b"x.jpg", evidence)

    taken = dirt.take()

    assert taken is not None
    assert taken.directories == {b"a": {b"x.jpg": Evidence.BEGUN}}


def test_too_many_names_keep_their_directory() -> None:
    """Names are given up first; those that are there still learn."""
    dirt = Dirt()
    for number in range(NAMES_OF_ONE + 5):
        dirt.note(b"a", b"%d" % number)
    dirt.note(b"a", b"0", Evidence.FINISHED)

    taken = dirt.take()

    assert taken is not None
    assert len(taken.directories[b"a"]) == NAMES_OF_ONE
    assert taken.directories[b"a"][b"0"] is Evidence.FINISHED


def test_names_are_bounded_over_all_directories() -> None:
    """Many directories with many names keep themselves, not their names."""
    dirt = Dirt()
    for directory in range(NAMES // NAMES_OF_ONE + 2):
        for number in range(NAMES_OF_ONE):
            dirt.note(b"%d" % directory, b"%d" % number)

    taken = dirt.take()

    assert taken is not None
    assert sum(map(len, taken.directories.values())) == NAMES
    assert len(taken.directories) == NAMES // NAMES_OF_ONE + 2


def test_too_many_directories_become_a_scan() -> None:
    """From then on nothing is kept until it is taken; after that all begins anew."""
    dirt = Dirt()
    for number in range(DIRECTORIES + 2):
        dirt.note(b"%d" % number, b"x")

    taken = dirt.take()

    assert taken is not None
    assert (taken.directories, taken.scan) == ({}, "more than 10,000 directories changed at once")
    dirt.note(b"a")
    again = dirt.take()
    assert again is not None
    assert (again.directories, again.scan) == ({b"a": {}}, "")


def test_the_first_reason_for_a_scan_is_kept() -> None:
    """What came first is nearer to the cause."""
    dirt = Dirt()
    dirt.scan("an overflow")
    dirt.scan("something else")
    dirt.note(b"a")

    taken = dirt.take()

    assert taken is not None
    assert (taken.scan, taken.directories) == ("an overflow", {b"a": {}})
