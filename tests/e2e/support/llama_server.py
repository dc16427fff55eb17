"""Runs the server of llama.cpp: llama_server.py MODEL PORT. Its own C++ server, as a Python package carries it."""

import pathlib
import signal
import sys

import xllamacpp

model, port = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path = model
params.hostnames = ["127.0.0.1"]
params.port = int(port)
params.n_ctx = 4096
params.n_parallel = 2
params.use_jinja = True
params.endpoint_slots = True
params.warmup = False
# One thread: several wait for each other in a loop, and starve where other programs run.
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
# The model's own template, with a place for thoughts.
params.chat_template = pathlib.Path(__file__).with_name("thinking-template.jinja").read_text()
server = xllamacpp.Server(params)
signal.pause()
