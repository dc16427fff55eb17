"""The hidden states of the tokens of sampled answers: the inputs of an LM head in a chat.

    answer_states.py MODEL_FOLDER OUT

Writes OUT, float32, [tokens, hidden]: the input of the final norm at each token of four answers of 40 tokens
(temperature 0.8, fixed seed). Prints {"tokens": n}.
"""

import json
import os
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

PROMPTS = [
    "<|im_start|>user\nTell me a story about a fox.<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\nWrite a Python function that sorts a list, and explain it.<|im_end|>\n<|im_start|>assistant\n",
    "The capital of France is",
    "Once upon a time, there was a little girl",
]


@torch.inference_mode()
def main():
    folder, out = sys.argv[1:]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    seen = []
    model.base_model.norm.register_forward_hook(lambda _, args, __: seen.append(args[0][0]))
    states = []
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer.encode(prompt, add_special_tokens=False).ids])
        answer = model.generate(ids, max_new_tokens=40, do_sample=True, temperature=0.8, pad_token_id=0)
        seen.clear()
        model(input_ids=answer)
        states.append(seen[0][ids.shape[1] - 1 :])
    all_states = torch.cat(states)
    all_states.numpy().astype("<f4").tofile(out)
    print(json.dumps(dict(tokens=len(all_states))))


main()
