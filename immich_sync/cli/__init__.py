"""The command line: each command parses, calls and shows, and no more.

Its own package because only it knows terminals. Commands import what they run when they run, so
that `--help` stays quick.
"""

from immich_sync.cli.app import main

__all__ = ["main"]
