"""Every photo and video of a folder in Immich: once, whole, in the right album, and proved."""

__version__ = "0.1.0"
