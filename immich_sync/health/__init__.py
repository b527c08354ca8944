"""Health and metrics over HTTP, for Prometheus, Docker and whoever else asks.

Its own package, in the order of its work: `door` listens and lets in, `pages` answers, `readiness`
says what keeps it from being ready, `metrics` puts numbers into Prometheus' form. Nothing else in
the program knows of HTTP servers or of Prometheus.
"""
