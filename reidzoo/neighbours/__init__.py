"""Exact nearest neighbours of feature rows, in blocks, without an N x N array."""
