"""File closed → asset on the server, one file at a time: p50 and p99 over 200 files.

Run: python -m tests.bench.latency
"""

import statistics
import time

from tests.bench.stage import say, stage
from tests.stories.scene import photo, sha1

FILES = 200
SIZE = 230_000
PAUSE = 0.05
"""Seconds between an arrival and the next file: the daemon is idle again."""


def main() -> None:
    """Prints the figures."""
    took = []
    with stage() as story:
        story.configure({"album": "Bench"}, settle="10s")
        daemon = story.start()
        arrived = story.server.sandbox.state.assets
        for n in range(FILES):
            content = photo(n, SIZE)
            path = story.photos / f"IMG_{n}.jpg"
            wanted = len(arrived) + 1
            path.write_bytes(content)
            closed = time.perf_counter()
            while len(arrived) < wanted:
                time.sleep(0.0005)
            took.append(time.perf_counter() - closed)
            time.sleep(PAUSE)
        assert sha1(photo(0, SIZE)) in story.server.checksums()
        daemon.stop()
    took.sort()
    p50, p99 = statistics.median(took), took[int(0.99 * len(took))]
    say(
        f"file closed to asset on the server, {FILES} files of {SIZE // 1000} KB one by one:"
        f" p50 {p50:.3f} s (aim 0.150), p99 {p99:.3f} s (aim 0.500), longest {took[-1]:.3f} s"
    )


if __name__ == "__main__":
    main()
