"""What is judged of a state that was looked at."""

from collections.abc import Mapping

import pytest

from immich_sync.core.diagnosis import ERROR, OK, WARNING
from immich_sync.core.keeping import Contents, Look, judged
from immich_sync.core.tombstones import Condition

SOUND = Contents(("tables",), {"file": 3}, Condition(2))
KNOWN = ("tables", "stacks")


def looked(
    contents: Contents = SOUND,
    modes: Mapping[str, int] | None = None,
    complaints: tuple[str, ...] = (),
    orphans: int = 0,
    trouble: str = "",
) -> Look:
    """A folder at /s."""
    return Look("/s", modes or {"/s": 0o700}, contents, trouble, complaints, orphans)


@pytest.mark.parametrize(
    ("look", "level", "said"),
    [
        (looked(), OK, "Every page can be read. Rows: 3 file."),
        (looked(), OK, "The tables are of version 1 (tables), from an older immich-sync."),
        (looked(Contents(KNOWN)), OK, "The tables are of version 2 (stacks)."),
        (looked(Contents(KNOWN)), OK, "There are none."),
        (looked(Contents((*KNOWN, "faces"))), ERROR, "does not know faces"),
        (looked(Contents()), ERROR, "not the tables of immich-sync"),
        (looked(trouble="It is damaged."), ERROR, "It is damaged."),
        (looked(complaints=("page 3",), orphans=2), ERROR, "page 3; 2 rows refer to nothing"),
        (looked(orphans=1), ERROR, "1 rows refer to nothing"),
        (looked(Contents(("tables",), {}, Condition(2, torn=1))), OK, "1 was cut off"),
        (looked(Contents(("tables",), {}, Condition(2, damaged=1))), ERROR, "1 are damaged"),
        (looked(modes={"/s": 0o755}), WARNING, "mode 755"),
    ],
)
def test_each_thing_is_judged(look: Look, level: str, said: str) -> None:
    """A finding with these words has this level, and an error makes the state unsound."""
    check = judged(look, KNOWN)

    assert [one.level for one in check.findings if said in one.said] == [level]
    assert check.sound == (level != ERROR)
    assert all(one.remedy for one in check.findings if one.level != OK)
