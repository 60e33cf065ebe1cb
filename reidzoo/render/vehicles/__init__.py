"""Draws vehicles: meshes, paint and roads, and the layouts and styles of their datasets."""
