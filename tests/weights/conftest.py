"""The served models' fixtures."""

from ..served_models import home, idle_server, no_indexes, server, tiny_config, write_index, write_tiny  # noqa: F401
