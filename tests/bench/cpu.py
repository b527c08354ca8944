"""CPU of the client for 1,000 new photos, start-up included; beside it, that of @immich/cli.

Run: python -m tests.bench.cpu
"""

import subprocess
import sys
from pathlib import Path

from tests.bench.stage import Price, price, say, stage
from tests.stories.scene import Story, photo

FILES = 1_000
SIZE = 230_000
CLI = Path(__file__).parents[1] / "contract" / "immich-cli"
"""It installs @immich/cli once, and then is it."""


def _fill(story: Story) -> None:
    for n in range(FILES):
        (story.photos / f"IMG_{n}.jpg").write_bytes(photo(n, SIZE))


def _ours() -> Price:
    with stage() as story:
        _fill(story)
        story.configure(settle="200ms")
        command = [sys.executable, "-m", "immich_sync", "run", "--once", "--config"]
        spent = price([*command, str(story.config)])
        assert len(story.server.assets()) == FILES
    return spent


def _theirs() -> Price:
    with stage() as story:
        _fill(story)
        environ = {
            "IMMICH_INSTANCE_URL": f"{story.server.sandbox.url}/api",
            "IMMICH_API_KEY": story.server.sandbox.api_key,
        }
        spent = price([str(CLI), "upload", str(story.photos)], environ=environ)
        assert len(story.server.assets()) == FILES
    return spent


def main() -> None:
    """Prints the figures."""
    ours = _ours()
    say(
        f"{FILES} new photos of {SIZE // 1000} KB: immich-sync {ours.cpu:.2f} s CPU,"
        f" {ours.wall:.2f} s in all, {ours.peak:.0f} MB"
    )
    if subprocess.run([CLI, "--version"], check=False, stdout=subprocess.DEVNULL).returncode:  # noqa: S603 - our own script
        say("@immich/cli was left out")
        return
    theirs = _theirs()
    say(
        f"the same by @immich/cli: {theirs.cpu:.2f} s CPU, {theirs.wall:.2f} s in all,"
        f" {theirs.peak:.0f} MB; ours is {ours.cpu / theirs.cpu:.2f} of its CPU (aim 0.50)"
    )


if __name__ == "__main__":
    main()
