"""The removal metrics beside what their authors' own code gave: rows of docs/calibration.md.

A row names the place of its numbers in ``tests/golden/removal/expected.json``, from which the original's are read; a
test holds that no number of that file is left out. The networks are the tiny ones of that folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from golden_removal import EXPECTED, array, clip, rules, tiny

from vibench.clip import Case, Frames
from vibench.metrics import kernel
from vibench.metrics.networks import backbones, dinov2, sam
from vibench.metrics.removal import background_dpo as dpo
from vibench.metrics.removal import background_videopainter as videopainter
from vibench.metrics.removal import cfd as cfd_metric
from vibench.metrics.removal import mawe as mawe_metric
from vibench.metrics.removal import rc, remove, vbench
from vibench.metrics.removal import temporal_consistency as tc

PERFECT_DB = 100.0


class Row(NamedTuple):
    """Numbers of ours in the order in which ``path`` has them in expected.json.

    ``allowed`` is the largest difference that is no fault where the original computes in float32 or by another library;
    with 0 the numbers are whole ones, or there are none, and must be equal.
    """

    what: str
    path: str
    ours: Any
    allowed: float | None = None


def flat(values: Any) -> list[float | None]:
    """The numbers of nested lists and dictionaries, in their order; infinite decibels are 100, and NaN is None."""
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, np.ndarray | list | tuple):
        return [number for value in values for number in flat(value)]
    if values == "inf":
        return [PERFECT_DB]
    number = None if values is None or isinstance(values, str) else float(values)
    return [None if number is None or np.isnan(number) else number]


def original(path: str) -> list[float | None]:
    """What expected.json has at a path of keys with dots between them."""
    found: Any = EXPECTED
    for key in path.split("."):
        found = found[int(key)] if isinstance(found, list) else found[key]
    return flat(found)


def pairs(row: Row) -> tuple[list[float], list[float]]:
    """The numbers of a row that exist, ours and the original's; ValueError where only one of the two exists."""
    ours, expected = flat(row.ours), original(row.path)
    if [value is None for value in ours] != [value is None for value in expected]:
        raise ValueError(f"{row.path}: {ours} where the original has {expected}")
    return [value for value in ours if value is not None], [value for value in expected if value is not None]


def parts(what: str, path: str, ours: dict[str, Any], allowed: float | None = None) -> Iterator[Row]:
    """A row for each key below a path."""
    for key, found in ours.items():
        yield Row(what, f"{path}.{key}", found, allowed)


def rows() -> Iterator[Row]:
    """Every row; MissingResource where transformers is not installed."""
    yield from of_rc_features()
    yield from of_rc_images()
    yield from of_remove()
    yield from of_cfd()
    yield from of_tc()
    yield from of_videopainter()
    yield from of_dpo()
    yield from of_vbench()
    yield from of_kernels()
    yield from of_mawe()


def grey(t: int) -> rc.Grey:
    """The hole of a frame as a file holds it."""
    return np.asarray(clip("masks")[t], np.uint8) * 255


def of_rc_features() -> Iterator[Row]:
    """RC from given tokens."""
    for name, target in (("square", 336), ("wide", 336), ("tall", 448)):
        here, there = (np.moveaxis(array("rc_features.npz", f"{name}_t{t}"), 0, -1) for t in (0, 1))
        masks = [array("rc_features.npz", f"{name}_mask{t}") for t in (0, 1)]
        hole = rc.hole_tokens(masks[0], target)
        first, second = (rc.hole_tokens((mask > 127).astype(np.uint8), target) for mask in masks)
        spatial = list(rc.spatial_windows(here, hole))
        temporal = list(rc.temporal_windows(here, there, first & second))
        path = f"rc.feature_level.{name}"
        distances = {
            "rc_s": rc.spatial_coherence(here, hole),
            "mean_mmd": np.mean([window.distance for window in spatial]),
            "windows_in_out_mmd": spatial,
        }
        yield from parts("`rc-s` of given tokens", f"{path}.float64", distances)
        distances = {
            "rc_t": rc.temporal_incoherence(here, there, first & second),
            "rc_t_windows_n_mmd": [(window.inside, window.distance) for window in temporal],
        }
        yield from parts("`rc-t` of given tokens", f"{path}.float64", distances)
        yield Row("tokens of the hole", f"{path}.hole_tokens", hole.sum(), 0)
        yield Row("tokens", f"{path}.tokens_hw", hole.shape, 0)
        resized = rc._enlarged_size(masks[0].shape, target)
        padding = [-side % dinov2.PATCH_PX for side in resized]
        yield from parts("size and padding", path, {"resize_hw": resized, "pad_hw": padding}, 0)
    tokens = [np.moveaxis(array("rc_features.npz", f"square_t{t}"), 0, -1).reshape(-1, 12) for t in (0, 1)]
    yield Row("kernel", "rc.feature_level.kernel_alone.float64", rc.discrepancy(tokens[0][:7], tokens[1][5:40]))


def _rc_numbers(frames: Frames, masks: Any, find: rc.FindTokens) -> dict[str, Any]:
    """RC of a clip, by the keys of the blocks of expected.json."""
    spatial = [rc.rc_s(frame, mask, find) for frame, mask in zip(frames, masks, strict=True)]
    windows = []
    for frame, mask in zip(frames, masks, strict=True):
        found = [
            window.distance
            for hole in rc.components(mask)
            for box in [rc.square_around(hole)]
            for window in rc.spatial_windows(find(rc.enlarged(box.cut(frame))), rc.hole_tokens(box.cut(mask)))
        ]
        windows.append((len(found), np.mean(found) if found else 0.0))
    holes = masks > 127
    pairs_of = range(len(frames) - 1)
    temporal = [rc.rc_t(frames[t : t + 2], holes[t : t + 2], find) for t in pairs_of]
    counts = [len(_pair_windows(frames, holes, t, find)) for t in pairs_of]
    means = [np.mean([value for value in series if value is not None]) for series in (spatial, temporal)]
    return {
        "rc_s_per_frame": spatial,
        "rc_s_windows_and_mean_mmd": windows,
        "rc_t_per_pair": temporal,
        "rc_t_windows": counts,
        "rc_s_clip": means[0],
        "rc_t_clip": means[1],
    }


def _pair_windows(frames: Frames, holes: Any, t: int, find: rc.FindTokens) -> list[rc.Window]:
    union = holes[t] | holes[t + 1]
    if not union.any():
        return []
    box = rc.square_around(union)
    first, second = (rc.hole_tokens(box.cut(hole.astype(np.uint8))) for hole in holes[t : t + 2])
    here, there = (find(rc.enlarged(box.cut(frame))) for frame in frames[t : t + 2])
    return list(rc.temporal_windows(here, there, first & second))


def of_rc_images() -> Iterator[Row]:
    """RC of the clip through the tiny DINOv2."""
    path, output = "rc.image_level", clip("output")
    metric = rc.spatial(tiny("dinov2"))
    find = metric._tokens
    hard = np.stack([grey(t) for t in range(len(output))])
    numbers = _rc_numbers(output, hard, find)
    what = "RC of the clip"
    yield from parts(what, f"{path}.float64", numbers)
    yield from parts(what, f"{path}.float32_features_float64_kernel", numbers)
    yield from parts(f"{what}, torchvision's processor", f"{path}.float32_torchvision_processor", numbers, 5e-4)
    soft = f"{path}.soft_masks_float32_features_float64_kernel"
    yield from parts(f"{what}, soft masks", soft, _rc_numbers(output, clip("soft_masks"), find))
    boxes_of_frames = [_boxes(mask) for mask in clip("masks")]
    yield Row("boxes", f"{path}.boxes_per_frame_x0_y0_x1_y1", boxes_of_frames, 0)
    boxes = [rc.square_around(clip("masks")[t] | clip("masks")[t + 1]) for t in range(5)]
    yield Row("boxes of pairs", f"{path}.boxes_per_pair", boxes, 0)
    left, top, right, bottom = EXPECTED["rc"]["image_level"]["tokens_check"]["crop"]
    tokens = dinov2.last_hidden_state(metric._backbone, rc.enlarged(output[0][top:bottom, left:right]))
    for key, found in (
        ("token0_first8", tokens[0, :8]),
        ("token1_first8", tokens[1, :8]),
        ("last_token_first8", tokens[-1, :8]),
        ("mean", tokens.mean(dtype=np.float64)),
        ("std", tokens.std(dtype=np.float64, ddof=1)),
    ):
        yield Row("features of the tiny DINOv2", f"{path}.tokens_check.{key}", found, 5e-6)
    hole = rc.components(hard[0])[0]
    box = rc.square_around(hole)
    windows = rc.spatial_windows(find(rc.enlarged(box.cut(output[0]))), rc.hole_tokens(box.cut(hard[0])))
    # A thousand times what float32 features leave.
    yield Row("windows of frame 0", f"{path}.frame0_windows_in_out_mmd_float64_kernel", list(windows), 3e-6)
    first = _pair_windows(output, hard > 127, 0, find)
    found_pair = [(window.inside, window.distance) for window in first]
    yield Row("windows of pair 0", f"{path}.pair0_windows_n_mmd_float64_kernel", found_pair, 3e-6)
    yield from _rc_edges(metric)


def _boxes(mask: Any) -> list[Any]:
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return [[*rc.square_around(labels == label), (labels == label).sum()] for label in range(1, count)]


def _rc_edges(metric: rc.RC) -> Iterator[Row]:
    path, frame, mask = "rc.image_level", clip("output")[0], grey(0)
    corner = np.zeros_like(mask)
    corner[:40, :40] = corner[60:80, 50:70] = 255
    holes = np.full_like(mask, 255), np.where(mask > 0, mask, np.uint8(1)), corner
    found = [rc.rc_s(frame, hole, metric._tokens) for hole in holes]
    yield Row("holes without known tokens", f"{path}.edge_cases_frame0", found, 0)
    large = [cv2.resize(one, (144, 96), interpolation=cv2.INTER_LINEAR) for one in array("output_larger.npz", "output")]
    case = Case("larger", np.stack(large), clip("masks")[:3], None)
    temporal = rc.temporal(tiny("dinov2"))
    script = f"{path}.script_with_output_larger_than_masks"
    yield Row("`rc-s`, by the script", f"{script}.rc_s", metric.measure(case.frames, case)["hole"].mean, 2e-5)
    yield Row("`rc-t`, by the script", f"{script}.rc_t", temporal.measure(case.frames, case)["hole"].mean, 5e-4)
    frames, masks = (np.repeat(clip(name)[:1], 83, axis=0) for name in ("output", "masks"))
    long = Case("long", frames, masks, None)
    counts = [
        sum(value is not None for value in one.measure(frames, long)["hole"].values) for one in (metric, temporal)
    ]
    yield Row("frames and pairs that count", f"{path}.of_83_frames_scored", counts, 0)


def of_remove() -> Iterator[Row]:
    """ReMOVE of given features, and of the clip through the tiny SAM."""
    frames, output = EXPECTED["remove"]["image_level"]["frames"], clip("output")
    crops = {t: crop for t in frames if (crop := remove.crop_around(grey(t))) is not None}
    drawn = rules().feature_map("remove/features", 256, 64, 64)
    whole = [remove.remove(drawn, remove.hole_cells(grey(t))) for t in frames]
    cropped = [remove.remove(drawn, remove.hole_cells(crops[t].cut(grey(t)))) for t in frames]
    yield Row("`remove-sam` of given features", "remove.feature_level.whole.float64", whole)
    yield Row("`remove-sam-crop` of given features", "remove.feature_level.crop.float64", cropped)
    path, case = "remove.image_level", Case("golden", output, clip("masks"), None)
    metrics = {"whole": remove.whole(tiny("sam_encoder")), "crop": remove.cropped(tiny("sam_encoder"))}
    for how, metric in metrics.items():
        values = metric.measure(output, case)["hole"].values
        seen = output if how == "whole" else {t: crops[t].cut(output[t]) for t in frames}
        masks = {t: grey(t) if how == "whole" else crops[t].cut(grey(t)) for t in frames}
        what = f"`{metric.info.name}` of the clip"
        yield Row(what, f"{path}.{how}.float64", [values[t] for t in frames])
        cells = [remove.hole_cells(masks[t]).sum() for t in frames]
        yield Row("cells of the hole", f"{path}.{how}.hole_cells_of_4096", cells, 0)
        yield Row("sizes seen", f"{path}.{how}.image_hw_seen", [seen[t].shape[:2] for t in frames], 0)
        yield Row(f"{what}, two tiny holes", f"{path}.tiny_mask_{how}", values[4])
        yield Row(f"{what}, no hole", f"{path}.empty_mask_{how}", values[3], 0)
    yield Row("crops", f"{path}.crop_boxes_x_y_size", [crops[t] for t in frames], 0)
    yield from _remove_checks(metrics["whole"])


def _remove_checks(metric: remove.ReMOVE) -> Iterator[Row]:
    path, frame, soft = "remove.image_level", clip("output")[0], clip("soft_masks")[0]
    features = sam.encoded(metric._backbone, frame)
    for key, found in (
        ("at_c0_first_row_first6", features[0, 0, :6]),
        ("at_c5_y20_x10to15", features[5, 20, 10:16]),
        ("bottom_right_c0", features[0, -1, -3:]),
        ("mean", features.mean(dtype=np.float64)),
        ("std", features.std(dtype=np.float64, ddof=1)),
    ):
        yield Row("features of the tiny SAM", f"{path}.features_check.{key}", found, 5e-6)
    cells = remove.hole_cells(soft)
    what, place = "`remove-sam`, soft mask", f"{path}.soft_mask_frame0_whole"
    yield Row(what, f"{place}.float32", remove.remove(features, cells))
    yield Row(what, f"{place}.cells", cells.sum(), 0)
    crop = remove.crop_around(soft)
    assert crop is not None
    cells = remove.hole_cells(crop.cut(soft))
    inside = sam.encoded(metric._backbone, np.ascontiguousarray(crop.cut(frame)))
    what, place = "`remove-sam-crop`, soft mask", f"{path}.soft_mask_frame0_crop"
    yield Row(what, f"{place}.float32", remove.remove(inside, cells))
    yield Row(what, f"{place}.cells", cells.sum(), 0)
    yield Row(what, f"{place}.box", crop, 0)


def of_cfd() -> Iterator[Row]:
    """CFD as released, and with its faults mended."""
    backbone = dinov2_tiny()
    readings = {
        "as_released": cfd_metric.AS_RELEASED,
        "token_shift_and_index_fixed": cfd_metric.BY_PLACE,
        "also_without_second_resize_and_crop": cfd_metric.BY_PLACE_WHOLE,
    }
    for name, reading in readings.items():
        for t in (0, 1):
            segments = list(array("cfd_segments.npz", f"frame{t}"))
            hole = clip("masks")[t]
            found = cfd_metric.cfd(
                clip("output")[t], hole, segments, lambda picture: dinov2.last_hidden_state(backbone, picture), reading
            )
            components = cv2.connectedComponents(hole.astype(np.uint8), connectivity=8)[0] - 1
            what, path = f"CFD, {name.replace('_', ' ')}", f"cfd.{name}.float64.{t}"
            yield Row(what, f"{path}.components", components, 0)
            yield Row(what, f"{path}.terms_in_order", found.terms)
            allowed = None if found.score is not None else 0.0
            yield from parts(what, path, {"total": found.total, "score": found.score}, allowed)
    labels = cv2.connectedComponents(clip("masks")[0].astype(np.uint8), connectivity=8)[1]
    flags, grey_flags = cfd_metric._flags(labels == 2), cfd_metric._grey_flags(labels == 2, bicubic=False)
    checks = {
        "mode_1_true": flags.sum(),
        "mode_1_length": len(flags),
        "last_is_true": flags[-1],
        "mode_L_distinct": np.unique(grey_flags),
    }
    yield from parts("flags of a mask", "cfd.resize_mask_check", checks, 0)
    kept = cfd_metric.distinct_segments(list(array("cfd_segments.npz", "frame0")))
    areas = [segment.sum() for segment in kept]
    yield Row("segments kept", "cfd.filter_masks_frame0", [len(kept), areas], 0)


def dinov2_tiny() -> Any:
    """The tiny DINOv2."""
    from vibench.metrics.networks.pretrained import load

    return load(dinov2.GIANT, tiny("dinov2"), "cpu")


def of_tc() -> Iterator[Row]:
    """The three definitions of TC, and EditVerse's with DINOv2."""
    output, masks = clip("output"), clip("masks")
    case = Case("golden", output, masks, None)
    made = {"b32": tc.clip_b32, "l14": tc.clip_l14, "h14": tc.clip_h14}
    metrics = {name: factory(tiny("clip_vision")) for name, factory in made.items()}
    series = {name: metric.measure(output, case)["frame"] for name, metric in metrics.items()}
    inside = metrics["b32"].measure(output[:3], Case("first", output[:3], masks[:3], None))["hole"].mean
    found = {"whole": series["b32"].mean, "hole_only": inside, "per_pair_whole": series["b32"].values}
    yield from parts("`tc-clip-b32` (VideoPainter)", "tc.videopainter.float64", found)
    path = "tc.editverse.float64"
    what = "`tc-clip-l14` (EditVerse)"
    yield Row(what, f"{path}.clip_pil_processor", series["l14"].mean)
    yield Row(what, f"{path}.clip_per_pair_pil", series["l14"].values)
    yield Row(f"{what}, torchvision's processor", f"{path}.clip_torchvision_processor", series["l14"].mean, 3e-6)
    dino = tc.dino_b14(tiny("dinov2")).measure(output, case)["frame"].mean
    yield Row("`tc-dino-b14` (EditVerse)", f"{path}.dino_pil_processor", dino)
    yield Row("the same, torchvision's processor", f"{path}.dino_torchvision_processor", dino)
    pixels = tc.prepared(output[0])
    prepared, check = pixels[0, 0, 0, :4].numpy(), "tc.editverse.pixel_values_check"
    yield Row("prepared pixels", f"{check}.pil_mean", pixels.double().mean())
    yield Row("prepared pixels", f"{check}.pil_first4", prepared)
    yield Row("prepared pixels, torchvision's processor", f"{check}.torchvision_first4", prepared)
    found = {"clip": series["h14"].mean, "per_pair": series["h14"].values}
    yield from parts("`tc-clip-h14` (our reading)", "tc.minimax.float64", found)
    backbone, check = metrics["b32"]._backbone, "tc.embedding_check_output0"
    for embed, key in (
        (tc.projected, "normalised_projected"),
        (tc.pooled, "normalised_pooler_first8"),
        (tc.stretched, "stretched_unnormalised_projected"),
    ):
        vector = embed(backbone, output[0])[: len(EXPECTED["tc"]["embedding_check_output0"][key])]
        yield Row("features of the tiny CLIP", f"{check}.{key}", vector, 5e-6)


def of_videopainter() -> Iterator[Row]:
    """VideoPainter's background measures, whole and masked in its ways."""
    names = {
        f"features.{name}": torch.from_numpy(values) for name, values in rules().weights("squeezenet_features").items()
    }
    real, backbones.squeeze = backbones.squeeze, lambda: names
    try:
        output, truth, masks = clip("output"), clip("truth"), clip("masks")
        composited = np.where(masks[..., None], output, truth)
        black = [videopainter.blackened(frames, masks) for frames in (output, truth, composited)]
        blocks = {
            "whole_frame": (output, truth),
            "as_released_only_comp_masked": (black[0], truth),
            "both_masked": (black[0], black[1]),
            "as_released_composited": (black[2], truth),
        }
        for name in ("psnr", "ssim", "lpips", "mse", "mae"):
            metric = getattr(videopainter, f"{name}_videopainter")()
            for block, two in blocks.items():
                values = metric._compare(*two)
                # One infinite decibel makes the original's mean infinite, which stands as 100 here too.
                mean = PERFECT_DB if name == "psnr" and PERFECT_DB in values else np.mean(values)
                found = {"per_frame": values, "mean": mean}
                allowed = 5e-6 if name == "psnr" else None
                path = f"background.videopainter.{block}.{name}"
                yield from parts(f"`{metric.info.name}`", path, found, allowed)
    finally:
        backbones.squeeze = real


def of_dpo() -> Iterator[Row]:
    """The background measures of Video_inpainting_DPO."""
    path, case = "background.jh5117.against_truth", Case("golden", clip("input"), clip("masks"), clip("truth"))
    for name, key in (("psnr", "PSNR_bg"), ("ssim", "SSIM_bg"), ("change", "TC_bg_pixel_proxy")):
        metric = getattr(dpo, f"{name}_dpo")()
        series = metric.measure(clip("output"), case)["outside"]
        frames = {"psnr": "PSNR_bg_per_frame", "ssim": "SSIM_bg_ignore_mask_per_frame"}.get(name)
        if frames is not None:
            yield Row(f"`{metric.info.name}`", f"{path}.{frames}", series.values)
        yield Row(f"`{metric.info.name}`", f"{path}.{key}", series.mean)
    path = "background.jh5117.smaller_output_frame0"
    size = tuple(EXPECTED["background"]["jh5117"]["smaller_output_frame0"]["size_hw"][::-1])
    frame, truth = (np.asarray(cv2.resize(clip(n)[0], size, interpolation=cv2.INTER_AREA)) for n in ("output", "truth"))
    hole = cv2.resize(clip("masks")[0].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    yield Row("`background-psnr-dpo`, smaller frame", f"{path}.PSNR_bg", dpo.known_psnr(frame, truth, hole))
    yield Row("`background-ssim-dpo`, smaller frame", f"{path}.SSIM_bg", dpo.blackened_ssim(frame, truth, hole))
    yield Row("pixels of the smaller hole", f"{path}.mask_pixels", hole.sum(), 0)


def of_vbench() -> Iterator[Row]:
    """VBench's temporal flickering of three clips, and consistency of given features."""
    for name in ("truth", "output", "input"):
        values = vbench.steadiness(clip(name))
        found = {"clip": np.mean(values), "mae_per_pair": [255 * (1 - value) for value in values]}
        yield from parts("`vbench-temporal-flickering`", f"vbench.temporal_flickering.{name}", found)
    clips = [vbench.consistency(array("vbench_features.npz", name)) for name in ("a", "b")]
    numbers = [np.mean(np.concatenate(clips)), [np.mean(values) for values in clips]]
    for kind in ("background_consistency", "subject_consistency"):
        path = f"vbench.consistency_feature_level.float64.{kind}"
        yield Row(f"VBench, {kind.replace('_', ' ')}", path, numbers)


def of_kernels() -> Iterator[Row]:
    """Kernel distances of the libraries."""
    x, y = rules().samples("kernel/x", 40, 1024, 0.0), rules().samples("kernel/y", 33, 1024, 0.12)
    count = EXPECTED["kernel"]["m"]
    few = x[:count], y[:count]
    unbiased = kernel.kernel_distance(*few)
    chance, subsets = np.random.RandomState(7), []
    for _ in range(3):
        second = y[chance.choice(len(y), 10, replace=False)]
        subsets.append(kernel.kernel_distance(x[chance.choice(len(x), 10, replace=False)], second))
    jedi = kernel.kernel_distance(x, y, kernel.JEDI, "biased")
    for key, found in {
        "clean_fid_unbiased_first_m": unbiased,
        "clean_fid_3_subsets_of_10_seed7": np.mean(subsets),
        "torchmetrics_unbiased_first_m": unbiased,
        "piq_unbiased_first_m": unbiased,
        "piq_biased_first_m": kernel.kernel_distance(*few, estimator="biased"),
        "piq_u-statistic_first_m": kernel.paired_distance(*few).value,
        "jedi_biased_degree2_coef0_all": jedi,
        "jedi_times_100": kernel.JEDI_FACTOR * jedi,
        "jedi_degree3_coef1_all": kernel.kernel_distance(x, y, kernel.KID, "biased"),
        "equal_sets.clean_fid_unbiased": kernel.kernel_distance(few[0], few[0]),
        "equal_sets.jedi": kernel.kernel_distance(x, x, kernel.JEDI, "biased"),
    }.items():
        yield Row("`kvd`" if "u-statistic" in key else "kernel distance", f"kernel.float64.{key}", found)


def of_mawe() -> Iterator[Row]:
    """MAWE with the flow of the rule."""
    side = mawe_metric.SIDE_PX
    flows = [np.moveaxis(rules().flow(pair, side, side, 1.0), 0, -1) for pair in range(3)]
    for name in ("truth", "output"):
        frames = mawe_metric.squared_up(clip(name)[:4])
        values = [value for value in mawe_metric.mawe(frames, flows) if value is not None]
        for t, flow in enumerate(flows):
            path = f"mawe.{name}.per_pair_float64.{t}"
            yield Row("places hit", f"{path}.known_pixels", mawe_metric.carried(frames[t], flow)[1].sum(), 0)
            error = mawe_metric.warp_error(frames[t], frames[t + 1], flow)
            motion = np.linalg.norm(flow.astype(np.float64), axis=-1).mean()
            yield from parts("`mawe`, a pair", path, {"warp_error": error, "mean_flow": motion})
        yield Row("`mawe`", f"mawe.{name}.mawe_float64", np.mean(values))
    frame = mawe_metric.squared_up(clip("output")[:1])[0]
    yield Row("resized frame", "mawe.resized_check.output0_720_red_row100_first5", frame[100, :5, 0], 0)
    yield Row("resized frame", "mawe.resized_check.output0_720_mean", frame.mean())
    flow = np.full((12, 16, 2), (1.25, -2.0), np.float32)
    flow[5, 5] = (4.25, -2.0)
    there, known = mawe_metric.carried(clip("output")[0, :12, :16], flow)
    yield Row("warped red", "mawe.tiny_warp.warped_red", there[..., 0], 0)
    yield Row("places not hit", "mawe.tiny_warp.unknown", ~known, 0)
