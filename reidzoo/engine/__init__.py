"""The engine of a run: builds models, loaders and optimizers, extracts and evaluates features, keeps a run's files."""
