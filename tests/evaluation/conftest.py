"""The plain definitions of retrieval."""

from ..plain_retrieval import make_case, plain  # noqa: F401
