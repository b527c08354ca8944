"""The stage of the stories, for faults that only a real machine has."""

from tests.stories.conftest import server, story

__all__ = ["server", "story"]
