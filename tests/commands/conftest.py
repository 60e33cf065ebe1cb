"""The fixture ``write`` of the configurations' tests."""

from ..config.conftest import write  # noqa: F401
