"""What every test may ask for."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Production's event loop; simulations name trio themselves."""
    return "asyncio"
