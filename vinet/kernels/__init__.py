"""Compiled loops that do on a CPU what PyTorch does slowly or not at all."""
