"""`python -m immich_sync` is `immich-sync`.

Its own module because Python looks for it by this name.
"""

from immich_sync.cli import main

main()
