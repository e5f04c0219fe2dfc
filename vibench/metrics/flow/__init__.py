"""Optical flow between frames: where it comes from, and what of it can be trusted."""
