"""Networks whose features metrics compare, and the weights of these networks."""
