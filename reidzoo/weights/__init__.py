"""Weight files: downloaded, cached, read without running code, and loaded strictly."""
