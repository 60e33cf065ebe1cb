"""Weight files: downloads and caches them, reads them without running code, and loads them strictly."""
