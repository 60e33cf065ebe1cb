"""The fixtures of served models and planned tables."""

from ..planned_tables import plan, table, write  # noqa: F401
from ..served_models import home, idle_server, no_indexes, server, tiny_config, write_index, write_tiny  # noqa: F401
