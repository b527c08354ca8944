"""Facts about a disk within a folder, and when what it lacks is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.inner import InnerFacts, InnerState, hides, judge, touches
from immich_sync.core.ports import RootIdentity

STICK = RootIdentity("ab", "/dev/sdb1 vfat", 1, by_device=True)
BARE = RootIdentity("cd", "/dev/sda1 ext4", 77)
THERE, DOUBTFUL, AWAY = InnerState.THERE, InnerState.DOUBTFUL, InnerState.AWAY

identities = st.none() | st.sampled_from([STICK, BARE])
words = st.sampled_from(["", str(STICK), str(BARE)])


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (InnerFacts(None, str(STICK), known=False, doubted=True), THERE),
        (InnerFacts(None, str(STICK), known=True, doubted=False), AWAY),
        (InnerFacts(STICK, str(STICK), known=True, doubted=False), THERE),
        (InnerFacts(STICK, str(STICK), known=True, doubted=True), DOUBTFUL),
        (InnerFacts(BARE, str(BARE), known=True, doubted=True), THERE),
        (InnerFacts(BARE, str(STICK), known=True, doubted=False), DOUBTFUL),
        (InnerFacts(BARE, "", known=True, doubted=False), DOUBTFUL),
        (InnerFacts(STICK, str(STICK), known=True, doubted=True, sampled=100, found=9), AWAY),
        (InnerFacts(STICK, str(STICK), known=True, doubted=True, sampled=100, found=10), THERE),
        (InnerFacts(STICK, str(STICK), known=True, doubted=True, sampled=0), THERE),
        (InnerFacts(BARE, str(STICK), known=True, doubted=False, sampled=100, found=89), AWAY),
        (InnerFacts(BARE, str(STICK), known=True, doubted=False, sampled=100, found=90), THERE),
        (InnerFacts(BARE, str(STICK), known=True, doubted=False, sampled=0), AWAY),
    ],
)
def test_what_is_believed_of_a_mount(facts: InnerFacts, state: InnerState) -> None:
    """Its identity, or the files that lie there, must speak for it."""
    assert judge(facts)[0] is state


@given(
    seen=identities, remembered=words, doubted=st.booleans(),
    sampled=st.none() | st.integers(1, 100), found=st.integers(0, 100),
)  # fmt: skip
def test_no_file_there_is_never_the_disk_that_is_known(
    *, seen: RootIdentity | None, remembered: str, doubted: bool, sampled: int | None, found: int
) -> None:
    """Whoever looked up known files and found none does not believe it; reasons are told."""
    facts = InnerFacts(
        seen, remembered, known=True, doubted=doubted, sampled=sampled,
        found=min(found, sampled or 0),
    )  # fmt: skip
    state, why = judge(facts)

    assert bool(why) is (state is AWAY)
    if sampled is not None and not facts.found:
        assert state is AWAY
    if state is DOUBTFUL:
        assert sampled is None


def test_what_lies_on_it_is_hidden() -> None:
    """The place and what is below it, and no sibling; what is above it is touched."""
    places = [b"a/usb"]
    inside, outside = [b"a/usb", b"a/usb/x"], [b"", b"a", b"a/usb-1", b"a/us"]

    assert [hides(places, one) for one in inside + outside] == [True] * 2 + [False] * 4
    assert [one for one in inside + outside if touches(places, one)] == [*inside, b"a"]
