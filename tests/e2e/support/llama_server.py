"""Runs the server of llama.cpp: its own C++ server, as a Python package carries it. See --help."""

import argparse
import pathlib
import signal

import xllamacpp

parser = argparse.ArgumentParser(description="Runs the server of llama.cpp on one thread.")
parser.add_argument("model", help="GGUF file")
parser.add_argument("port", type=int)
parser.add_argument("--parallel", type=int, default=2, help="answers at once")
parser.add_argument("--context", type=int, default=2048, help="tokens of prompt and answer")
parser.add_argument("--template", type=pathlib.Path, help="file of the chat template; default: the model's own")
arguments = parser.parse_args()

params = xllamacpp.CommonParams()
params.model.path = arguments.model
params.hostnames = ["127.0.0.1"]
params.port = arguments.port
params.n_ctx = arguments.context * arguments.parallel
params.n_parallel = arguments.parallel
params.use_jinja = True
params.endpoint_slots = True
params.warmup = False
# One thread: several wait for each other in a loop, and starve where other programs run.
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
if arguments.template:
    params.chat_template = arguments.template.read_text()
server = xllamacpp.Server(params)
signal.pause()
