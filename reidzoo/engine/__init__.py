"""What runs a configuration: stages, loaders, optimizers, checkpoints, processes and seeds."""
