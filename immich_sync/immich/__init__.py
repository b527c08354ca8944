"""The server: the only place that speaks HTTP to Immich."""
