from __future__ import annotations

import logging

import pytest

from reidzoo.warned import warned


def test_warnings_are_collected_and_nothing_is_said_until_the_end(caplog):
    logger = logging.getLogger("reidzoo")
    before = list(logger.handlers), logger.propagate
    with pytest.raises(ZeroDivisionError), warned() as texts:
        logger.info("said")
        logger.warning("of %d", 1)
        logging.getLogger("reidzoo.plugin").warning("of 2")
        raise ZeroDivisionError
    assert texts == ["of 1", "of 2"] and not caplog.records
    assert (logger.handlers, logger.propagate) == before
