"""Runs in the formats that other programs read: leaderboards, services that watch numbers, and CI systems."""
