"""Publishing: exports the models of finished runs, and writes the pages and tables that record them."""
