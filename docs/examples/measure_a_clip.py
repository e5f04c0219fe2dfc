"""One metric on two arrays: how far is a filled clip from the true one?

Run it anywhere: python docs/examples/measure_a_clip.py
"""

import numpy as np
from skimage.data import astronaut

import vibench

# A clip of eight frames that drifts over a photograph, uint8 (T, H, W, 3), and a hole, bool (T, H, W).
truth = np.stack([astronaut()[100:260, 100 + 4 * t : 340 + 4 * t] for t in range(8)])
holes = np.zeros(truth.shape[:3], bool)
holes[:, 40:100, 80:160] = True

# A fill that anybody would call bad: the mean colour of what surrounds the hole.
filled = truth.copy()
filled[holes] = truth[~holes].mean(axis=0)

for metric in ("psnr", "ssim-gaussian", "lpips-alex", "warping-error-dis"):
    measured = vibench.measure(metric, filled, truth, holes, device="cpu")
    print(f"{metric:<18} in the hole {measured.mean['hole']:.4f} {measured.unit}  ({measured.better} is better)")

# Every region has a value for every frame; what is wrong with an array is told in one sentence.
print("hole, frame by frame:", [round(value, 2) for value in vibench.measure("psnr", filled, truth, holes)["hole"]])
try:
    vibench.measure("psnr", filled / 255, truth, holes)
except vibench.InputError as error:
    print("error:", error)
