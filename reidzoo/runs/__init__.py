"""Runs of a configuration: its stages, its environment, and the matrix of what its models reach elsewhere."""
