"""Loops that numba compiles: Winograd's transforms, cost volumes and warps on a CPU.

Channels are the innermost axis of everything, and every loop over them is one that a compiler can vectorise. None of
this holds the GIL; `vinet.kernels.threads` runs it on several cores.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float32]
NEAR, FAR = 5 / 8, 3 / 2
"""Points of interpolation, with 0, their negatives and infinity; rounding costs half as much as with the paper's 1 and
2."""
A1, A2, A3 = (np.float32(NEAR**power) for power in (1, 2, 3))
B1, B2, B3 = (np.float32(FAR**power) for power in (1, 2, 3))
SUM, PRODUCT = np.float32(NEAR**2 + FAR**2), np.float32(NEAR**2 * FAR**2)


def inlined(function: Any) -> Any:
    """Make a function part of its caller, where the compiler sees that the arrays do not overlap, and vectorises."""
    return njit(inline="always")(function)


def compiled(function: Any) -> Any:
    """Compile a function to machine code that runs without the GIL; kept on disk where there is a place for it.

    It may fuse a multiplication and an addition and add in another order, as a convolution does, and no more.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "reassoc", "nsz"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither beside this file nor in the user's own folder may anything be written
        return njit(**options)(function)


@compiled
def place(tile: int, rows: int, columns: int, dilation: int) -> tuple[int, int, int]:
    """Item, row and column of the first output pixel of a tile."""
    item, rest = divmod(tile, rows * columns * dilation * dilation)
    down, rest = divmod(rest, dilation * rows * columns)
    row, rest = divmod(rest, dilation * columns)
    right, column = divmod(rest, columns)
    return item, down + 4 * dilation * row, right + 4 * dilation * column


@compiled
def forward(planes: Values, values: Values, first: int, last: int, rows: int, columns: int, dilation: int) -> None:
    """Write B^T d B of the tiles `first` to `last` of planes (B, H, W, C), 0 outside, into values (36, tiles, C)."""
    channels = planes.shape[3]
    zeros = np.zeros(channels, np.float32)
    half = np.empty((6, 6, channels), np.float32)
    for tile in range(first, last):
        item, top, left = place(tile, rows, columns, dilation)
        top, left = top - dilation, left - dilation
        for j in range(6):
            x = left + dilation * j
            six_to_six(
                pixel(planes, zeros, item, top, x),
                pixel(planes, zeros, item, top + dilation, x),
                pixel(planes, zeros, item, top + 2 * dilation, x),
                pixel(planes, zeros, item, top + 3 * dilation, x),
                pixel(planes, zeros, item, top + 4 * dilation, x),
                pixel(planes, zeros, item, top + 5 * dilation, x),
                half[0, j], half[1, j], half[2, j], half[3, j], half[4, j], half[5, j],
            )  # fmt: skip
        to = tile - first
        for i in range(6):
            line, k = half[i], 6 * i
            six_to_six(
                line[0], line[1], line[2], line[3], line[4], line[5],
                values[k, to], values[k + 1, to], values[k + 2, to],
                values[k + 3, to], values[k + 4, to], values[k + 5, to],
            )  # fmt: skip


@compiled
def backward(
    values: Values, bias: Values, slope: np.float32, planes: Values,
    first: int, last: int, rows: int, columns: int, dilation: int,
) -> None:  # fmt: skip
    """Write A^T m A of values (36, tiles, C), plus bias and through a leaky ReLU, into the tiles' pixels of planes."""
    height, width, channels = planes.shape[1:]
    half = np.empty((4, 6, channels), np.float32)
    line = np.empty((4, channels), np.float32)
    for tile in range(first, last):
        item, top, left = place(tile, rows, columns, dilation)
        of = tile - first
        for j in range(6):
            six_to_four(
                values[j, of], values[6 + j, of], values[12 + j, of],
                values[18 + j, of], values[24 + j, of], values[30 + j, of],
                half[0, j], half[1, j], half[2, j], half[3, j],
            )  # fmt: skip
        for i in range(4):
            y = top + dilation * i
            if y >= height:
                break
            m = half[i]
            six_to_four(m[0], m[1], m[2], m[3], m[4], m[5], line[0], line[1], line[2], line[3])
            for j in range(4):
                x = left + dilation * j
                if x >= width:
                    break
                activated(line[j], bias, slope, planes[item, y, x])


@compiled
def pixel(planes: Values, zeros: Values, item: int, y: int, x: int) -> Values:
    """Channels of a pixel, zeros outside."""
    inside = 0 <= y < planes.shape[1] and 0 <= x < planes.shape[2]
    return planes[item, y, x] if inside else zeros


@inlined
def six_to_six(
    d0: Values, d1: Values, d2: Values, d3: Values, d4: Values, d5: Values,
    v0: Values, v1: Values, v2: Values, v3: Values, v4: Values, v5: Values,
) -> None:  # fmt: skip
    """Six values through B^T: row k holds the polynomial whose roots are all points but the k-th."""
    for c in range(len(d0)):
        a0, a1, a2, a3, a4, a5 = d0[c], d1[c], d2[c], d3[c], d4[c], d5[c]
        near_even, near_odd = a4 - B2 * a2, A1 * (a3 - B2 * a1)
        far_even, far_odd = a4 - A2 * a2, B1 * (a3 - A2 * a1)
        v0[c] = PRODUCT * a0 - SUM * a2 + a4
        v1[c] = near_even + near_odd
        v2[c] = near_even - near_odd
        v3[c] = far_even + far_odd
        v4[c] = far_even - far_odd
        v5[c] = PRODUCT * a1 - SUM * a3 + a5


@inlined
def six_to_four(
    m0: Values,
    m1: Values,
    m2: Values,
    m3: Values,
    m4: Values,
    m5: Values,
    y0: Values,
    y1: Values,
    y2: Values,
    y3: Values,
) -> None:
    """Six values through A^T: row k holds the k-th powers of the points."""
    for c in range(len(m0)):
        near_even, near_odd = m1[c] + m2[c], m1[c] - m2[c]
        far_even, far_odd = m3[c] + m4[c], m3[c] - m4[c]
        y0[c] = m0[c] + near_even + far_even
        y1[c] = A1 * near_odd + B1 * far_odd
        y2[c] = A2 * near_even + B2 * far_even
        y3[c] = A3 * near_odd + B3 * far_odd + m5[c]


@inlined
def activated(values: Values, bias: Values, slope: np.float32, pixel: Values) -> None:
    """Leaky ReLU of values plus bias."""
    for c in range(len(values)):
        value = values[c] + bias[c]
        pixel[c] = max(value, slope * value)


@compiled
def correlate(reference: Values, source: Values, evidence: Values, first: int, last: int, offset: int) -> None:
    """Write the cost volume of references (B, H, W, C) and sources (B * S, H, W, C) into evidence (B * S, H, W, E).

    It takes the channels from `offset` to `offset` + 81, and rows `first` to `last`, counted through the batch.
    Channels before `offset`, 0 or C of them, become the reference's own.
    """
    height, width, channels = reference.shape[1:]
    share = np.float32(1 / channels)
    sources = source.shape[0] // reference.shape[0]
    for row in range(first, last):
        item, y = divmod(row, height)
        for x in range(width):
            here, found = reference[item // sources, y, x], evidence[item, y, x]
            for c in range(offset):
                found[c] = here[c]
            for line in range(9):
                below, costs = y + line - 4, found[offset + 9 * line : offset + 9 * line + 9]
                if below < 0 or below >= height:
                    costs[:] = 0
                    continue
                there, end = source[item, below], width - 1
                nine_products(
                    here,
                    there[max(x - 4, 0)], there[max(x - 3, 0)], there[max(x - 2, 0)], there[max(x - 1, 0)], there[x],
                    there[min(x + 1, end)], there[min(x + 2, end)], there[min(x + 3, end)], there[min(x + 4, end)],
                    share, costs,
                )  # fmt: skip
                costs[: max(4 - x, 0)] = 0
                costs[min(width + 4 - x, 9) :] = 0


@inlined
def nine_products(
    here: Values,
    p0: Values, p1: Values, p2: Values, p3: Values, p4: Values, p5: Values, p6: Values, p7: Values, p8: Values,
    share: np.float32, products: Values,
) -> None:  # fmt: skip
    """Mean products of a pixel's channels with those of nine others, three times as fast as one other at a time."""
    t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = t8 = np.float32(0)
    for c in range(len(here)):
        value = here[c]
        t0 += value * p0[c]
        t1 += value * p1[c]
        t2 += value * p2[c]
        t3 += value * p3[c]
        t4 += value * p4[c]
        t5 += value * p5[c]
        t6 += value * p6[c]
        t7 += value * p7[c]
        t8 += value * p8[c]
    products[0], products[1], products[2] = t0 * share, t1 * share, t2 * share
    products[3], products[4], products[5] = t3 * share, t4 * share, t5 * share
    products[6], products[7], products[8] = t6 * share, t7 * share, t8 * share


@compiled
def sample(image: Values, flow: Values, warped: Values, first: int, last: int, clamp: bool) -> None:
    """Warp rows `first` to `last`, counted through the batch, of maps (B, H, W, C) by flow (B, 2, H, W)."""
    height, width, channels = image.shape[1:]
    zeros = np.zeros(channels, np.float32)
    for row in range(first, last):
        item, y = divmod(row, height)
        for x in range(width):
            right, down = x + flow[item, 0, y, x], y + flow[item, 1, y, x]
            if clamp:
                right = min(max(right, np.float32(0)), np.float32(width - 1))
                down = min(max(down, np.float32(0)), np.float32(height - 1))
            else:  # anything farther out samples nothing but zeros, and might not fit into an integer
                right = min(max(right, np.float32(-2)), np.float32(width + 1))
                down = min(max(down, np.float32(-2)), np.float32(height + 1))
            left, top = math.floor(right), math.floor(down)
            u, v = np.float32(right - left), np.float32(down - top)
            i, j = int(left), int(top)
            four_means(
                pixel(image, zeros, item, j, i),
                pixel(image, zeros, item, j, i + 1),
                pixel(image, zeros, item, j + 1, i),
                pixel(image, zeros, item, j + 1, i + 1),
                u, v, warped[item, y, x],
            )  # fmt: skip


@inlined
def four_means(p00: Values, p01: Values, p10: Values, p11: Values, u: np.float32, v: np.float32, mean: Values) -> None:
    """Bilinear mean of four pixels at (u, v) between them."""
    one = np.float32(1)
    w00, w01, w10, w11 = (one - u) * (one - v), u * (one - v), (one - u) * v, u * v
    for c in range(len(mean)):
        mean[c] = w00 * p00[c] + w01 * p01[c] + w10 * p10[c] + w11 * p11[c]
