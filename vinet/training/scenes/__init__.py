"""What training sees: synthetic scenes of known motion, real clips, and the holes that are cut into both."""
