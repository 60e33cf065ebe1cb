"""Draws vehicles: meshes, paint, roads, and the layouts and styles of the sets they stand in."""
