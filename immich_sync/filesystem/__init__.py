"""The disk: what lies where, what changed, and which bytes it holds."""
