"""Nights that come soon: the daily scan, and the audit after it, without a whole day before them.

Its own module because each simulated day costs real seconds, and most stories need but its night.
"""

from datetime import datetime, time

import anyio

from tests.faults.stage import EPOCH, Stage

EVENING = 5400.0
"""Seconds from the beginning of a simulation to its first daily scan."""
LONG = 3 * 3600.0
"""Seconds, with the first night in their midst; longer than any wait but those for a day."""
DAY = 24 * 3600.0
SCAN_AT: time = datetime.fromtimestamp(EPOCH + EVENING).time()  # noqa: DTZ006 - people configure local time
"""What `scan_at` has to be for that."""
_BEFORE, _AFTER = 900.0, 900.0


async def first_night(stage: Stage) -> None:
    """Hours pass, and each second of them: an evening, its scan and its audit, and more."""
    assert stage.clock.now() < EPOCH + EVENING - 60.0, "the night is over"
    await anyio.sleep(LONG)


async def next_night(stage: Stage) -> None:
    """A night with its scan and its audit is over; the day before it is skipped by the clock."""
    ahead = (EPOCH + EVENING - stage.clock.now()) % DAY
    stage.clock.ahead += max(0.0, ahead - _BEFORE)
    await anyio.sleep(min(ahead, _BEFORE) + _AFTER)
