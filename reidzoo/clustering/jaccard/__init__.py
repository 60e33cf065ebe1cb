"""Computes sparse k-reciprocal Jaccard distances."""
