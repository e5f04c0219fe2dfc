"""One method on one clip: fill a hole with VINet, with and without its memory, and save the frames side by side.

Run it anywhere: python docs/examples/fill_a_clip.py
"""

import numpy as np
from PIL import Image
from skimage.data import astronaut

import vibench

truth = np.stack([astronaut()[100:228, 100 + 6 * t : 292 + 6 * t] for t in range(10)])
hole = np.zeros(truth.shape[1:3], bool)
hole[40:80, 70:120] = True  # one mask for all frames

rows = [truth]
for method in ("telea", "vinet", "vinet[memory=false]"):
    filled = vibench.fill(method, truth, hole, device="cpu")
    psnr = vibench.measure("psnr", filled, truth, np.broadcast_to(hole, truth.shape[:3]))
    print(f"{method:<20} {psnr.mean['hole']:.2f} dB in the hole")
    rows.append(filled)

# Frames 1, 4, 7 and 10 of the truth and of each method, one row below the other.
picture = np.concatenate([np.concatenate(list(row[::3]), axis=1) for row in rows])
Image.fromarray(picture).save("filled.png")
print("picture: filled.png")
