"""Backbones by file: what is read, what is refused with which sentence, and that nothing else is looked at."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_removal import EXPECTED, clip, rules, tiny, write_weights

from vibench import plugins
from vibench.errors import MissingResource
from vibench.metrics.networks import clip as clip_network
from vibench.metrics.networks import dinov2, sam
from vibench.metrics.networks.pretrained import Backbone, Published, find, load
from vibench.plugins import Spec
from vibench.runner.score import identity_of

ALL = {"dinov2": dinov2.GIANT, "sam_encoder": sam.HUGE, "clip_vision": clip_network.B32}
METRICS = {
    "rc-s": "dinov2", "rc-t": "dinov2", "remove-sam": "sam_encoder", "remove-sam-crop": "sam_encoder",
    "tc-clip-b32": "clip_vision", "tc-clip-l14": "clip_vision", "tc-clip-h14": "clip_vision", "tc-dino-b14": "dinov2",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_weights_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for published in (*ALL.values(), dinov2.BASE, clip_network.L14, clip_network.H14):
        monkeypatch.delenv(published.variable, raising=False)
    monkeypatch.setattr("vibench.metrics.networks.pretrained._in_hub_cache", lambda _: None)


def loaded(published: Published, path: Path | str) -> Backbone:
    pytest.importorskip("transformers")
    return load(published, str(path), "cpu")


@pytest.mark.parametrize("model", ALL)
def test_the_weights_are_those_of_the_rule(model: str) -> None:
    import hashlib

    drawn = rules().weights(model)
    digest = hashlib.sha256(b"".join(values.tobytes() for values in drawn.values())).hexdigest()
    assert digest == EXPECTED["weights_check"][model]["sha256_of_float32_bytes_in_order_of_shapes_json"]
    network = loaded(ALL[model], tiny(model)).network
    assert sum(p.numel() for p in network.parameters()) == EXPECTED["weights_check"][model]["parameters"]
    assert not network.training and {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", METRICS)
def test_without_weights_one_sentence_says_what_to_get_how_large_and_under_which_licence(name: str) -> None:
    with pytest.raises(MissingResource) as raised:
        plugins.make("metrics", Spec(name), device="cpu")
    sentence = str(raised.value)
    assert "\n" not in sentence and "hf download" in sentence and "weights=FILE" in sentence
    assert " GB" in sentence and ("Apache-2.0" in sentence or "MIT" in sentence)


@pytest.mark.parametrize("name", METRICS)
def test_weights_named_by_file_or_variable_make_the_metric_and_are_its_identity(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    spec = Spec(name, {"weights": tiny(METRICS[name])})
    metric = plugins.make("metrics", spec, device="cpu")
    assert set(map(len, metric.resources.values())) == {64} and metric.info.name == name
    other = write_weights(METRICS[name], tmp_path)
    from safetensors.torch import load_file, save_file

    state = load_file(other)
    next(iter(state.values())).add_(1e-3)
    save_file(state, other)
    changed = plugins.make("metrics", Spec(name, {"weights": str(other)}), device="cpu")
    assert changed.resources != metric.resources
    assert identity_of(spec, metric) != identity_of(spec, changed)
    published = metric._backbone.published
    monkeypatch.setenv(published.variable, tiny(METRICS[name]))
    assert plugins.make("metrics", Spec(name), device="cpu").resources == metric.resources


def test_a_network_that_is_not_the_authors_is_told_from_theirs() -> None:
    backbone = loaded(dinov2.GIANT, tiny("dinov2"))
    assert not backbone.as_published and backbone.label.startswith("not DINOv2-giant, ")


def test_one_network_is_shared_by_metrics_that_look_through_it() -> None:
    assert loaded(dinov2.GIANT, tiny("dinov2")) is loaded(dinov2.GIANT, tiny("dinov2"))


def test_names_of_the_hub_and_of_the_authors_are_read_too(tmp_path: Path) -> None:
    """DINOv2 as the hub has it, SAM as the hub has it, and a whole CLIP of which only the image side is read."""
    from safetensors.torch import load_file, save_file

    def rewritten(model: str, names: dict[str, str], extra: dict[str, torch.Tensor]) -> Path:
        path = write_weights(model, tmp_path / model)
        state = {}
        for name, tensor in load_file(path).items():
            for old, new in names.items():
                name = name.replace(old, new)
            state[name] = tensor
        save_file({**state, **extra}, path)
        return path

    hub = {"attention.q_proj": "attention.attention.query", "attention.k_proj": "attention.attention.key",
           "attention.v_proj": "attention.attention.value", "attention.o_proj": "attention.output.dense"}  # fmt: skip
    path = write_weights("dinov2", tmp_path / "plain")
    state = load_file(path)
    packed = {}
    for name, tensor in state.items():
        for old, new in hub.items():
            name = name.replace(old, new)
        if "mlp.gate_proj" in name:
            up = state[name.replace("gate_proj", "up_proj")]
            packed[name.replace("gate_proj", "weights_in")] = torch.cat([tensor, up])
        elif "mlp.up_proj" not in name:
            packed[name.replace("mlp.down_proj", "mlp.weights_out")] = tensor
    save_file(packed, path)
    picture = np.ascontiguousarray(clip("output")[0][:84, :84])
    ours = dinov2.last_hidden_state(loaded(dinov2.GIANT, tiny("dinov2")), picture)
    assert (dinov2.last_hidden_state(loaded(dinov2.GIANT, path), picture) == ours).all()

    text = {"text_model.embeddings.x": torch.ones(3), "logit_scale": torch.ones(1)}
    whole = loaded(clip_network.B32, rewritten("clip_vision", {}, text))
    pixels = torch.zeros(1, 3, 224, 224)
    ours = clip_network.embedded(loaded(clip_network.B32, tiny("clip_vision")), pixels).projected
    assert (clip_network.embedded(whole, pixels).projected == ours).all()

    renamed = sam.renamed(
        {"image_encoder.neck.3.weight": torch.ones(1), "image_encoder.blocks.7.norm1.bias": torch.ones(1)}
    )
    assert set(renamed) == {"vision_encoder.neck.layer_norm2.weight", "vision_encoder.layers.7.layer_norm1.bias"}
    assert set(sam.renamed(renamed)) == set(renamed)


def test_a_whole_clip_s_configuration_has_one_for_the_image_side(tmp_path: Path) -> None:
    path = write_weights("clip_vision", tmp_path)
    inside = json.loads((tmp_path / "config.json").read_text())
    projection = inside.pop("projection_dim")
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": inside, "projection_dim": projection}))
    assert loaded(clip_network.B32, path).network.config.projection_dim == projection


def test_a_configuration_cannot_ask_for_code_or_other_arithmetic(tmp_path: Path) -> None:
    path = write_weights("dinov2", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    asked = {
        "_attn_implementation": "somebody/kernel", "attn_implementation": "somebody/kernel", "dtype": "float16",
        "quantization_config": {"quant_method": "gptq", "bits": 4}, "auto_map": {"AutoModel": "code.Model"},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps({**config, **asked}))
    picture = np.ascontiguousarray(clip("output")[0][:84, :84])
    ours = dinov2.last_hidden_state(loaded(dinov2.GIANT, tiny("dinov2")), picture)
    assert (dinov2.last_hidden_state(loaded(dinov2.GIANT, path), picture) == ours).all()


def test_files_that_cannot_be_used_are_one_sentence_each(tmp_path: Path) -> None:
    pytest.importorskip("transformers")

    def refused(path: Path) -> str:
        with pytest.raises(MissingResource) as raised:
            load(dinov2.GIANT, str(path), "cpu")
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert "there is no file" in refused(tmp_path / "absent.safetensors")
    path = write_weights("dinov2", tmp_path / "torn")
    path.write_bytes(path.read_bytes()[:1000])
    assert "is no DINOv2-giant" in refused(path)
    path = write_weights("dinov2", tmp_path / "alone")
    (path.parent / "config.json").unlink()
    assert "config.json is not beside" in refused(path)
    for broken in ("{", "[]", '{"hidden_size": "wide"}', '{"hidden_size": 10000000}'):
        (path.parent / "config.json").write_text(broken)
        refused(path)
    (path.parent / "config.json").write_text(json.dumps({"hidden_size": 64, "num_attention_heads": 2}))
    assert "parameters" in refused(path)
    path = write_weights("clip_vision", tmp_path / "other")
    assert "parameters" in refused(path)
    path = tmp_path / "hostile" / "model.pth"
    path.parent.mkdir()
    (path.parent / "config.json").write_text("{}")
    torch.save({"weight": Path("a path is no tensor")}, path)
    assert "is no DINOv2-giant" in refused(path)


def test_a_state_dict_of_torch_is_read_as_well(tmp_path: Path) -> None:
    folder = write_weights("sam_encoder", tmp_path).parent
    state = {f"image_encoder.{name}": torch.from_numpy(v) for name, v in rules().weights("sam_encoder").items()}
    torch.save({**state, "prompt_encoder.x": torch.ones(2)}, folder / "sam_vit_h.pth")
    one, other = loaded(sam.HUGE, folder / "sam_vit_h.pth"), loaded(sam.HUGE, tiny("sam_encoder"))
    for (name, ours), (_, theirs) in zip(
        one.network.state_dict().items(), other.network.state_dict().items(), strict=True
    ):
        assert (ours == theirs).all(), name


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    path = write_weights("dinov2", tmp_path)  # of another path, so that it is not remembered
    with pytest.raises(MissingResource, match=r"vibench\[removal\]"):
        load(dinov2.GIANT, str(path), "cpu")


def test_the_hub_s_cache_is_looked_at_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.undo()
    monkeypatch.delenv(dinov2.GIANT.variable, raising=False)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingResource, match="are not on this machine"):
        find(dinov2.GIANT, None)
    folder = tmp_path / "models--facebook--dinov2-giant"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    path = write_weights("dinov2", folder / "snapshots" / ("0" * 40))
    assert find(dinov2.GIANT, None) == path


def test_features_are_computed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path / "cache"))
    backbone = loaded(dinov2.GIANT, tiny("dinov2"))
    picture = np.ascontiguousarray(clip("truth")[0][:84, :84])
    first = dinov2.tokens(backbone, picture)
    monkeypatch.setattr(dinov2, "last_hidden_state", lambda *_: pytest.fail("computed again"))
    assert (dinov2.tokens(backbone, picture) == first).all()
