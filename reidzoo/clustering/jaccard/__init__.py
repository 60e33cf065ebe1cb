"""Sparse k-reciprocal Jaccard distances."""
