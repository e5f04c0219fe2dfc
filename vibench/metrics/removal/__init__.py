"""The metrics of object removal as their authors' code computes them, one file each; none of them is ours."""
