"""reidzoo: person and vehicle re-identification from registered parts."""

__version__ = "0.1.0"
