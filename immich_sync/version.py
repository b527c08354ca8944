"""Which version this is.

Its own module because the package's own imports whatever other programs ask it for.
"""

VERSION = "0.1.0"
