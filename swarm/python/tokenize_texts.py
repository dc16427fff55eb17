"""Tokenizes texts with the tokenizers library. Reads {tokenizer: path, texts: [...]}, writes {ids: [[...]], decoded: [...]}."""

import json
import sys

from tokenizers import Tokenizer

request = json.load(sys.stdin)
tokenizer = Tokenizer.from_file(request["tokenizer"])
encodings = tokenizer.encode_batch(request["texts"], add_special_tokens=False)
json.dump(dict(ids=[encoding.ids for encoding in encodings]), sys.stdout)
