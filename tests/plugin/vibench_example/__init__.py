"""A method, a metric and a mask generator from outside."""
