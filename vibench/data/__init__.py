"""Data sets and what is made from them: clips, cases with their holes, manifests, and clips that are computed."""
