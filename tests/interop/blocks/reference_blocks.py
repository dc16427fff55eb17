"""Makes tiny models with random weights, one of each family, and what transformers computes with their blocks.

    reference_blocks.py OUT

For each family, OUT/FAMILY has config.json, model.safetensors, and float32 files: input.f32 [2, TOKENS, hidden] and
output-N.f32, the output of block N; some have the same weights in gguf/model.gguf, as llama.cpp's converter lays them out. The transformers of Petals has no Mixtral, Qwen 2 or Qwen 3, and no scaling of Llama 3 or YaRN:
its Llama is changed as their modeling_*.py say.
"""

import json
import math
import os
import sys

import gguf
import torch
from torch import nn
from transformers import (
    BloomConfig,
    BloomModel,
    FalconConfig,
    FalconModel,
    LlamaConfig,
    LlamaModel,
    MistralConfig,
    MistralModel,
)
from safetensors.torch import save_file

TOKENS = 70
BLOCKS = 3
HIDDEN = 64
LLAMA = dict(
    vocab_size=32, hidden_size=HIDDEN, intermediate_size=96, num_hidden_layers=BLOCKS, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.15,
)


class HeadNorm(nn.Module):
    """A projection whose heads are RMS-normed (Qwen 3)."""

    def __init__(self, projection, head_size):
        super().__init__()
        self.projection = projection
        self.scale = nn.Parameter(1 + 0.2 * torch.randn(head_size))

    def forward(self, x):
        heads = self.projection(x).unflatten(-1, (-1, self.scale.numel()))
        normed = heads * torch.rsqrt(heads.pow(2).mean(-1, keepdim=True) + 1e-6)
        return (self.scale * normed).flatten(-2)


class Mixture(nn.Module):
    """Mixtral's sparse experts."""

    def __init__(self, hidden, feed_forward, experts, used):
        super().__init__()
        linear = lambda a, b: nn.Linear(a, b, bias=False)
        self.used = used
        self.gate = linear(hidden, experts)
        self.experts = nn.ModuleList(
            nn.ModuleDict(dict(w1=linear(hidden, feed_forward), w2=linear(feed_forward, hidden), w3=linear(hidden, feed_forward)))
            for _ in range(experts)
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.15)

    def forward(self, x):
        weights, chosen = self.gate(x).softmax(-1).topk(self.used, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        outputs = torch.stack([e["w2"](nn.functional.silu(e["w1"](x)) * e["w3"](x)) for e in self.experts], -2)
        picked = outputs.gather(-2, chosen.unsqueeze(-1).expand(*chosen.shape, x.shape[-1]))
        return (picked * weights.unsqueeze(-1)).sum(-2)


def llama():
    return LlamaModel(LlamaConfig(**LLAMA)), "model.", {}


def llama3():
    model, prefix, _ = llama()
    scaling = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    for layer in model.layers:
        rotary = layer.self_attn.rotary_emb
        frequencies = []
        for frequency in (1.0 / 500000 ** (torch.arange(0, 16, 2).float() / 16)).tolist():
            wave = 2 * math.pi / frequency
            if wave < 64 / 4:
                frequencies.append(frequency)
            elif wave > 64:
                frequencies.append(frequency / 8)
            else:
                smooth = (64 / wave - 1) / (4 - 1)
                frequencies.append((1 - smooth) * frequency / 8 + smooth * frequency)
        rotary.inv_freq = torch.tensor(frequencies)
        rotary._set_cos_sin_cache(128, "cpu", torch.float32)
    return model, prefix, dict(rope_theta=500000.0, rope_scaling=scaling)


def yarn():
    model, prefix, _ = llama()
    size, base, factor, original = 16, 10000.0, 4.0, 32
    scaling = dict(rope_type="yarn", factor=factor, original_max_position_embeddings=original)
    pair_of = lambda turns: size * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))
    low, high = max(math.floor(pair_of(32)), 0), min(math.ceil(pair_of(1)), size - 1)
    ramp = ((torch.arange(size // 2).float() - low) / max(high - low, 0.001)).clamp(0, 1)
    kept = 1.0 / base ** (torch.arange(0, size, 2).float() / size)
    for layer in model.layers:
        rotary = layer.self_attn.rotary_emb
        rotary.inv_freq = kept / factor * ramp + kept * (1 - ramp)
        rotary._set_cos_sin_cache(128, "cpu", torch.float32)
        for name in ("cos_cached", "sin_cached"):
            getattr(rotary, name).mul_(0.1 * math.log(factor) + 1)
    return model, prefix, dict(rope_scaling=scaling)


def mistral():
    # This transformers sees one token more than later ones (and llama.cpp) with the same setting.
    return MistralModel(MistralConfig(**LLAMA, sliding_window=23)), "model.", dict(sliding_window=24)


def qwen2():
    model, prefix, _ = llama()
    for layer in model.layers:
        for name in ("q_proj", "k_proj", "v_proj"):
            old = getattr(layer.self_attn, name)
            new = nn.Linear(old.in_features, old.out_features)
            nn.init.normal_(new.bias, std=0.5)
            nn.init.normal_(new.weight, std=0.15)
            setattr(layer.self_attn, name, new)
    return model, prefix, dict(model_type="qwen2")


def qwen3():
    model, prefix, _ = llama()
    for layer in model.layers:
        layer.self_attn.q_proj = HeadNorm(layer.self_attn.q_proj, 16)
        layer.self_attn.k_proj = HeadNorm(layer.self_attn.k_proj, 16)
    return model, prefix, dict(model_type="qwen3", head_dim=16)


def mixtral():
    model, prefix, _ = llama()
    for layer in model.layers:
        layer.mlp = Mixture(HIDDEN, 96, 4, 2)
    return model, prefix, dict(model_type="mixtral", num_local_experts=4, num_experts_per_tok=2)


def falcon(**options):
    config = FalconConfig(
        vocab_size=32, hidden_size=HIDDEN, num_hidden_layers=BLOCKS, num_attention_heads=4, bias=False, alibi=False,
        parallel_attn=True, initializer_range=0.15, **options,
    )
    return FalconModel(config), "transformer.", {}


def falcon7b():
    return falcon(new_decoder_architecture=False, multi_query=True)


def falcon40b():
    return falcon(new_decoder_architecture=True, num_kv_heads=2)


def bloom():
    return BloomModel(BloomConfig(vocab_size=32, hidden_size=HIDDEN, n_layer=BLOCKS, n_head=4, initializer_range=0.15)), "", {}


RENAMED = {
    "q_proj.projection.": "q_proj.", "k_proj.projection.": "k_proj.", "q_proj.scale": "q_norm.weight",
    "k_proj.scale": "k_norm.weight", "mlp.gate.": "block_sparse_moe.gate.", "mlp.experts.": "block_sparse_moe.experts.",
}


def saved_name(name, prefix):
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    return prefix + name


GGUF_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "block_sparse_moe.gate": "ffn_gate_inp", "w1": "ffn_gate_exps",
    "w2": "ffn_down_exps", "w3": "ffn_up_exps", "self_attention.query_key_value": "attn_qkv", "self_attention.dense": "attn_output",
    "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down", "ln_mlp": "attn_norm", "ln_attn": "attn_norm_2",
}


def to_pairs_side_by_side(weight, heads):
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def unfused(weight, heads, kv_heads):
    """Queries, keys and values of each group, to all queries, all keys, all values."""
    groups = weight.reshape(kv_heads, heads // kv_heads + 2, HIDDEN // heads, -1)
    q, k, v = groups[:, :-2], groups[:, -2], groups[:, -1]
    return torch.cat([part.reshape(-1, *weight.shape[1:]) for part in (q, k, v)])


def write_gguf(out, arch, weights, config, kv_heads):
    os.makedirs(out)
    writer = gguf.GGUFWriter(os.path.join(out, "model.gguf"), arch)
    writer.add_block_count(BLOCKS)
    writer.add_embedding_length(HIDDEN)
    writer.add_context_length(128)
    writer.add_head_count(4)
    writer.add_head_count_kv(kv_heads)
    writer.add_feed_forward_length(96 if arch == "llama" else 4 * HIDDEN)
    epsilon = config.get("rms_norm_eps") or config.get("layer_norm_epsilon")
    (writer.add_layer_norm_rms_eps if arch == "llama" else writer.add_layer_norm_eps)(epsilon)
    if arch != "bloom":
        writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
    if "num_local_experts" in config:
        writer.add_expert_count(config["num_local_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(scaling["factor"])
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    elif scaling:
        base = 1.0 / config["rope_theta"] ** (torch.arange(0, 16, 2).float() / 16)
        writer.add_tensor("rope_freqs.weight", (base / config["scaled"]).numpy())
    stacks = {}
    for name, value in weights.items():
        parts = name.split(".")
        block = next((part for part in parts if part.isdigit()), None)
        rest = name.split(f".{block}.", 1)[-1] if block else ""
        if not rest or "rotary" in rest or "inv_freq" in rest:
            continue
        body, kind = rest.rsplit(".", 1)
        value = value.float()
        if "experts" in body:
            stacks.setdefault(f"blk.{block}.{GGUF_NAMES[body.rsplit('.', 1)[1]]}.weight", []).append(value)
            continue
        if arch == "llama" and body.endswith(("q_proj", "k_proj")):
            value = to_pairs_side_by_side(value, 4 if body.endswith("q_proj") else kv_heads)
        if body.endswith("query_key_value"):
            value = unfused(value, 4, kv_heads)
        writer.add_tensor(f"blk.{block}.{GGUF_NAMES[body]}.{kind}", value.contiguous().numpy())
    for name, values in stacks.items():
        writer.add_tensor(name, torch.stack(values).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


GGUF = dict(llama3=("llama", 2), yarn=("llama", 2), mixtral=("llama", 2), falcon40b=("falcon", 2), bloom=("bloom", 4))


@torch.no_grad()
def make(out, build):
    torch.manual_seed(0)
    model, prefix, changes = build()
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("bias"):
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.eval()
    os.makedirs(out)
    weights = {saved_name(name, prefix): value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(out, "config.json"), "w") as file:
        json.dump({**model.config.to_dict(), **changes}, file)
    if build.__name__ in GGUF:
        arch, kv_heads = GGUF[build.__name__]
        config = {**model.config.to_dict(), **changes}
        if build.__name__ == "llama3":
            config["scaled"] = model.layers[0].self_attn.rotary_emb.inv_freq
        write_gguf(os.path.join(out, "gguf"), arch, weights, config, kv_heads)
    layers = model.layers if hasattr(model, "layers") else model.h
    states = {}
    for index, layer in enumerate(layers):
        layer.register_forward_hook(lambda _, inputs, output, index=index: states.update({index: output[0]}))
    embeddings = torch.randn(2, TOKENS, HIDDEN)
    model_outputs = model(inputs_embeds=embeddings, output_hidden_states=True)
    write(out, "input", model_outputs.hidden_states[0])
    for index, state in states.items():
        write(out, f"output-{index}", state)


def write(out, name, tensor):
    tensor.float().contiguous().numpy().tofile(os.path.join(out, f"{name}.f32"))


for build in (llama, llama3, yarn, mistral, mixtral, qwen2, qwen3, falcon7b, falcon40b, bloom):
    make(os.path.join(sys.argv[1], build.__name__), build)
