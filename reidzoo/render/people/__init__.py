"""Draws people: clothes, bodies, poses, and the layouts and styles of the sets they stand in."""
