"""From what people write to what the program runs on: `load`, then `resolve`.

Its own package, in the order of its work: `values` reads one value, `settings` says what may be
written, `load` reads file and environment, `accounts` and `folders` check what only the disk and
the whole can tell, `resolve` puts it together. Nothing after `resolve` knows that defaults exist.
"""

from immich_sync.config.load import Written, load
from immich_sync.config.resolve import resolve

__all__ = ["Written", "load", "resolve"]
