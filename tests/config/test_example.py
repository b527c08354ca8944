"""The example that people copy."""

import re
from collections.abc import Callable
from pathlib import Path

from immich_sync.config import load, resolve
from immich_sync.core.folder import Setup

WRITE = Callable[[str], Path]
EXAMPLE = Path("deploy/config.example.toml")


def _resolved(text: str, write: WRITE) -> Setup:
    for path in ("/volume1/photos", "/etc/immich-sync/api-key", "/var/lib/immich-sync"):
        text = text.replace(path, "{tmp}/" + {"photos": "photos", "api-key": "key"}.get(
            path.rsplit("/", 1)[1], "state"
        ))  # fmt: skip
    return resolve(load(write(text)))


def test_the_example_says_the_defaults(write: WRITE) -> None:
    """Every default that it shows behind a `#` is the one in force without that line."""
    text = EXAMPLE.read_text()
    shown = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE).replace(
        'api_key_file = "/etc/immich-sync/anna-key"', ""
    )

    assert shown != text
    assert _resolved(shown, write) == _resolved(text, write)
