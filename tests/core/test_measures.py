"""What is counted while the program runs."""

from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.measures import Histogram, Measures


@given(st.lists(st.floats(-10, 200_000)), st.lists(st.floats(0, 1000), min_size=1, unique=True))
def test_a_histogram_counts_what_is_at_most_each_bound(
    values: list[float], bounds: list[float]
) -> None:
    """As Prometheus means it: cumulated, the bound itself included, and at last all of them."""
    histogram = Histogram(sorted(bounds))
    for value in values:
        histogram.observe(value)

    seen = [max(0.0, value) for value in values]
    expected = [sum(value <= bound for value in seen) for bound in sorted(bounds)]
    assert histogram.cumulated() == [*expected, len(values)]
    assert histogram.sum == sum(seen)


def test_uploads_are_counted_by_account() -> None:
    """Their number, their bytes, and the time of each."""
    measures = Measures()
    for account in ("default", "anna", "anna"):
        measures.moved(account, 10)
        measures.uploaded(account, 2.0)

    assert (measures.uploads["anna"], measures.sent["default"]) == (2, 10)
    assert (measures.upload_time.sum, measures.upload_time.cumulated()[-1]) == (6.0, 3)
