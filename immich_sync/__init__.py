"""Every photo and video of a folder in Immich: once, whole, in the right album, and proved."""
