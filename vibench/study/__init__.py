"""Asking people: a blinded page of pairwise comparisons, and what their answers say."""
