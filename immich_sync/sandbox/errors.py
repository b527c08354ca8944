"""The server's way of saying no.

Its own module because all endpoints raise it and only the application renders it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with one field of a request."""

    path: tuple[str | int, ...]
    message: str


class ApiError(Exception):
    """The request is answered with `status` and `message`, and with `issues` if it was invalid."""

    def __init__(self, status: int, message: str, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.issues = issues


def invalid(field: str, message: str) -> ApiError:
    """A field that does not pass: 400 `Validation failed`."""
    return ApiError(400, "Validation failed", (Issue((field,), message),))
