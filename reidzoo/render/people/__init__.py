"""Draws people: clothes, bodies and poses, and the layouts and styles of their datasets."""
