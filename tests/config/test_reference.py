"""The page that lists every setting."""

from immich_sync.config.settings import Settings
from tests.reference import PAGE, TABLES, page


def test_the_page_is_what_the_model_says() -> None:
    """docs/configuration.md is what `python -m tests.reference` would write now."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_no_table_is_left_out() -> None:
    """Every table that the settings have is on the page, with each of its keys."""
    written = page()
    tables = [
        kind
        for one in Settings.model_fields.values()
        for kind in (one.annotation, *getattr(one.annotation, "__args__", ()))
        if hasattr(kind, "model_fields")
    ]

    assert {table.__name__ for table in tables} | {"Settings"} <= set(TABLES)
    for table in tables:
        assert all(f"| `{key}` |" in written for key in table.model_fields)
