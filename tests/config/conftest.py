"""An environment that says nothing, and a configuration that is right, to be made wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

KEY = "Zq3-secret-key-of-the-tests-8Kw1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No variable of ours is set, and home is empty."""
    for name in (
        "IMMICH_INSTANCE_URL",
        "IMMICH_API_KEY",
        "IMMICH_SYNC_CONFIG",
        "IMMICH_SYNC_FOLDERS",
        "IMMICH_SYNC_STATE_DIR",
        "CREDENTIALS_DIRECTORY",
        "STATE_DIRECTORY",
        "XDG_STATE_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    return monkeypatch


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration in which {tmp} is this test's own folder, with photos and a key."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "key").write_text(KEY + "\n")

    def written(text: str) -> Path:
        file = tmp_path / "config.toml"
        file.write_text(text.replace("{tmp}", str(tmp_path)))
        return file

    return written
