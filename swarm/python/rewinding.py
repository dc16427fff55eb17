"""Lets a server of Petals 2.2.0.post1 rewind, as those of Petals' main branch (2.3.0.dev2) do.

A step's metadata may hold `start_from_position`: the server goes back to it before the step. And it may hold `next_servers`, to
whom the server pushes this step's outputs; 2.2.0.post1 reads that only in the metadata of the session's first request. The
changed lines are those of the main branch, but that a position beyond the server's own is refused here: the assertion there
is written so that it never fails.
"""

import inspect
import textwrap

# The first build of the main branch that can do this called itself so, as did some before it.
VERSION = "2.3.0.dev2"

REWINDS = """\
        if "start_from_position" in step_metadata:
            start_from_position = step_metadata["start_from_position"]
            assert prefix_length >= start_from_position, f"{prefix_length=}, {start_from_position=}"
            prefix_length = start_from_position

"""


def patch(function, *replacements) -> None:
    """Replaces parts of a function's source, each of which it must have exactly once. All references to the function get the new one."""
    source = inspect.getsource(function)
    for old, new in replacements:
        assert source.count(old) == 1, f"{function.__qualname__} has changed: it has not once {old!r}"
        source = source.replace(old, new)
    scope = dict(function.__globals__)
    exec(compile(textwrap.dedent(source), inspect.getsourcefile(function), "exec"), scope)
    function.__code__ = scope[function.__name__].__code__


def install() -> None:
    import petals
    from petals.server import block_functions, handler

    petals.__version__ = VERSION
    before_inputs = "        flat_tensors = tuple(deserialize_torch_tensor(tensor) for tensor in request.tensors)\n"
    patch(
        block_functions.iterate_rpc_inference,
        (before_inputs, REWINDS + before_inputs),
        ("yield output_tensors, can_push\n", "yield output_tensors, can_push, step_metadata\n"),
    )
    patch(
        handler.TransformerConnectionHandler.rpc_inference,
        ("async for output_tensors, can_push in ", "async for output_tensors, can_push, step_metadata in "),
        ("self._push_outputs(request, output_tensors[0], metadata)", "self._push_outputs(request, output_tensors[0], step_metadata)"),
    )
