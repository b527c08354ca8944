"""What a server says of itself and of the key it is asked with.

Its own module because start-up, `doctor` and the albums read these values without making a call.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """The server's version."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, slots=True)
class Me:
    """Who the key belongs to; `user` is None where the key may not ask (`user.read`)."""

    user: str | None
    key: str
    permissions: frozenset[str]

    @property
    def identity(self) -> str:
        """The user's id, or a name for the key where only that is known."""
        return self.user or f"key:{self.key}"

    def missing(self, needed: Iterable[str]) -> list[str]:
        """Those of `needed` that the key lacks, in order; `all` grants everything."""
        if "all" in self.permissions:
            return []
        return [permission for permission in needed if permission not in self.permissions]


@dataclass(frozen=True, slots=True)
class MediaTypes:
    """Extensions that the server takes, lower case, with their dots."""

    image: frozenset[str]
    video: frozenset[str]
    sidecar: frozenset[str]
