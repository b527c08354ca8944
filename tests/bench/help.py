"""`immich-sync --help`: how long a person waits for it.

Run: python -m tests.bench.help
"""

import statistics
import sys

from tests.bench.stage import price, say

RUNS = 15


def main() -> None:
    """Prints the figures."""
    runs = [price([sys.executable, "-m", "immich_sync", "--help"]) for _ in range(RUNS)]
    wall = statistics.median(run.wall for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    say(f"immich-sync --help: {wall:.2f} s (aim 0.3), {cpu:.2f} s CPU, of {RUNS} runs the median")


if __name__ == "__main__":
    main()
