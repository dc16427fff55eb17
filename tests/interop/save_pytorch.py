"""Saves models' weights as PyTorch pickles in several shards: save_pytorch.py FOLDER OUT [FOLDER OUT ...]."""

import sys

from transformers import AutoModelForCausalLM

arguments = sys.argv[1:]
for folder, out in zip(arguments[::2], arguments[1::2]):
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(out, safe_serialization=False, max_shard_size="20MB")
