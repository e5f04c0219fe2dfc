"""A method, a metric and a mask generator that know six modules of vibench."""
