"""The smallest protocol, as a file of a user would say it."""

from __future__ import annotations


def small_protocol(name: str, clips: object = "clips") -> str:
    """The TOML of a protocol with one square hole and PSNR, over the folder ``clips``."""
    return f"""
name = "{name}"
version = 1
title = "Small"
description = "For tests."
seed = 1
[data]
dataset = "folder:{clips}"
[[holes]]
name = "square"
generator = "stationary-square"
[scoring]
metrics = ["psnr"]
"""
