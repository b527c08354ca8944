"""What each channel was told, so that a restart repeats nothing.

Its own module because nothing else in the state is about people.
"""

from collections.abc import Iterable

from immich_sync.core.conditions import Told
from immich_sync.store.database import Database


def load(database: Database, channel: str) -> tuple[Told, ...]:
    """What this channel was told and not yet that it is over. Raises StateTrouble."""
    with database.reading() as connection:
        rows = connection.execute(
            "SELECT what, subject, at, weight, sure FROM told WHERE channel = ?", (channel,)
        )
        return tuple(
            Told(what, subject, at, weight, sure=bool(sure))
            for what, subject, at, weight, sure in rows
        )


def save(database: Database, channel: str, told: Iterable[Told]) -> None:
    """This, and nothing else, is what the channel was told. Raises StateTrouble."""
    with database.writing() as connection:
        connection.execute("DELETE FROM told WHERE channel = ?", (channel,))
        connection.executemany(
            "INSERT INTO told (channel, what, subject, at, weight, sure) VALUES (?, ?, ?, ?, ?, ?)",
            [(channel, one.what, one.subject, one.at, one.weight, one.sure) for one in told],
        )
