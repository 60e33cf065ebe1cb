"""Runs configurations: their stages and environment, and the transfer matrix of trained models."""
