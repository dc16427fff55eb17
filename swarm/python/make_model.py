"""Makes a model folder in the Hugging Face format from random weights.

    make_model.py random-llama|random-bloom|random-falcon OUT --tokenizer FOLDER
"""

import argparse
import json
import os
import shutil

import torch


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
    parser.add_argument("kind", choices=["random-llama", "random-bloom", "random-falcon"])
    parser.add_argument("out")
    parser.add_argument("--tokenizer", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    random_model(args.kind, args.out, args.tokenizer)


if __name__ == "__main__":
    main()
