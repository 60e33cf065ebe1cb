"""Loads trained models by name or path, and embeds images with them."""
