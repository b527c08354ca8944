"""Whether a root can be believed."""

from immich_sync.core.ports import RootIdentity
from immich_sync.core.roots import RootFacts, RootState, judge

HERE = RootIdentity("ab12", "ext4 /dev/sda1", 2)
THERE = RootIdentity("cd34", "ext4 /dev/sdb1", 2)


def _judged(facts: RootFacts) -> RootState:
    return judge(facts)[0]


def test_a_new_folder_is_believed() -> None:
    """Even an empty one: nothing is known that could be missing."""
    assert _judged(RootFacts(HERE, None, empty=True, known_files=0)) is RootState.ONLINE


def test_a_missing_root_is_offline() -> None:
    """Nothing counts as gone while its disk may only not be mounted."""
    assert _judged(RootFacts(None, str(HERE), empty=True, known_files=5)) is RootState.OFFLINE


def test_empty_is_not_deleted() -> None:
    """A folder that held files and is empty is an unmounted one."""
    assert _judged(RootFacts(HERE, str(HERE), empty=True, known_files=5)) is RootState.OFFLINE


def test_the_same_file_system_is_believed() -> None:
    """Whatever changed in it."""
    assert _judged(RootFacts(HERE, str(HERE), empty=False, known_files=5)) is RootState.ONLINE


def test_another_file_system_is_doubted_until_files_are_looked_up() -> None:
    """It may be the same disk under another name, or a stranger."""
    facts = RootFacts(THERE, str(HERE), empty=False, known_files=5)

    assert _judged(facts) is RootState.DOUBTFUL


def test_nine_tenths_of_a_sample_make_it_the_same_folder() -> None:
    """A restored or copied disk goes on without asking; less than that asks a person."""
    same = RootFacts(THERE, str(HERE), empty=False, known_files=100, sampled=100, found=90)
    other = RootFacts(THERE, str(HERE), empty=False, known_files=100, sampled=100, found=89)

    assert _judged(same) is RootState.ONLINE
    assert _judged(other) is RootState.UNAPPROVED
    assert "approve" in judge(other)[1]


def test_with_no_known_files_another_file_system_harms_nothing() -> None:
    """There is nothing that could count as gone."""
    assert _judged(RootFacts(THERE, str(HERE), empty=False, known_files=0)) is RootState.ONLINE
