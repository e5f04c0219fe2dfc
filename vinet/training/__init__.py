"""Training of VINet and of its per-frame opponent: recipes, data, losses, and a loop that survives kill -9."""
