"""An asset or album as a person names it: its id, or its address in the browser.

Its own module because only people paste addresses; the library takes ids.
"""

from uuid import UUID

import typer

_WHERE = "it stands at the end of its address in the browser"


def asset(given: str) -> UUID:
    """The id in `ID` or `https://…/photos/ID`. Raises BadParameter."""
    steps = _steps(given)
    if len(steps) > 1 and steps[-2] == "albums":
        raise typer.BadParameter(
            f"{given} is an album's address; `download` and `archive` take it as --album"
        )
    found = _id(steps[-1])
    if found is None:
        raise typer.BadParameter(f"{given} is not the id of an asset; {_WHERE}: …/photos/ID")
    return found


def album(given: str) -> UUID:
    """The id in `ID` or `https://…/albums/ID`. Raises BadParameter."""
    steps = _steps(given)
    if "albums" in steps[:-1]:
        steps = steps[: steps.index("albums") + 2]
    elif len(steps) > 1:
        steps = [""]
    found = _id(steps[-1])
    if found is None:
        raise typer.BadParameter(f"{given} is not the id of an album; {_WHERE}: …/albums/ID")
    return found


def _steps(given: str) -> list[str]:
    """The parts of an address between its slashes; a bare id is the only one."""
    return given.partition("?")[0].partition("#")[0].rstrip("/").split("/")


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
