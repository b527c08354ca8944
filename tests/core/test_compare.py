"""A directory on the disk against the ledger."""

from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.compare import compare
from immich_sync.core.ports import Entry
from immich_sync.core.types import Stamp

WALL = 10_000.0
LONG_AGO, JUST_NOW = int(1_000e9), int(9_999e9)


def _stamp(size: int = 1, at: int = LONG_AGO, inode: int = 1) -> Stamp:
    return Stamp(size, at, inode, at)


def test_what_is_known_with_its_stamp_needs_nothing() -> None:
    """A restart over synced files finds no work."""
    found = compare([Entry(b"a", _stamp())], {b"a": _stamp()}, wall=WALL)

    assert (found.due, found.moving, found.touched, found.gone) == ((), (), (), ())


def test_new_and_rewritten_files_are_due_or_still_moving() -> None:
    """Those that have lain still for long go straight on; young ones are watched first."""
    entries = [
        Entry(b"new", _stamp()),
        Entry(b"rewritten", _stamp(size=2)),
        Entry(b"young", _stamp(at=JUST_NOW)),
    ]

    found = compare(entries, {b"rewritten": _stamp()}, wall=WALL)

    assert found.due == (entries[0], entries[1])
    assert found.moving == (b"young",)


def test_a_ctime_alone_asks_only_for_a_look() -> None:
    """A `chown -R` over the library costs no upload."""
    touched = Entry(b"a", _stamp()._replace(ctime_ns=JUST_NOW))

    found = compare([touched], {b"a": _stamp()}, wall=WALL)

    assert found.touched == (touched,)
    assert (found.due, found.moving) == ((), ())


def test_what_is_only_in_the_ledger_is_gone() -> None:
    """Its name is told; whether it counts is for the root's state to say."""
    assert compare([], {b"a": _stamp()}, wall=WALL).gone == (b"a",)


_STAMPS = st.builds(
    Stamp, st.integers(0, 2), st.sampled_from([LONG_AGO, JUST_NOW]), st.integers(1, 2),
    st.sampled_from([LONG_AGO, JUST_NOW]),
)  # fmt: skip
_NAMES = st.sampled_from([b"a", b"b", b"c", b"d"])


@given(st.dictionaries(_NAMES, _STAMPS), st.dictionaries(_NAMES, _STAMPS))
def test_every_name_is_in_exactly_one_place(
    disk: dict[bytes, Stamp], known: dict[bytes, Stamp]
) -> None:
    """Nothing is passed over, nothing is said twice."""
    found = compare([Entry(n, s) for n, s in sorted(disk.items())], known, wall=WALL)

    told = [n for n, _ in (*found.due, *found.touched)] + [*found.moving, *found.gone]
    same = [name for name in disk if known.get(name) == disk[name]]
    assert sorted([*told, *same]) == sorted({*disk, *known})
