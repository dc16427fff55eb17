"""A Petals server, with the arguments of `petals.cli.run_server`. Ends when its standard input does.

`--p2p JSON`, before the others, gives arguments of `Server` and hivemind's `P2P.create` that `run_server` has no flags for.
"""

import functools
import json
import os
import signal
import sys


def end_with_starter() -> None:
    """Ends this process group as soon as whoever started it is gone, however that came about: standard input is a pipe
    from there. Watched by a process outside of the group, since a group that is stopped can't watch."""
    group = os.getpid()
    nothing = os.open(os.devnull, os.O_RDWR)
    if os.fork() == 0:
        os.setsid()
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        while os.read(0, 1):
            pass
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended first
        os._exit(0)
    os.dup2(nothing, 0)
    os.close(nothing)


def send_no_reports() -> None:
    """`run_server` asks PyPI at each start whether there is a newer Petals."""
    from petals.cli import run_server

    run_server.validate_version = lambda: None


def set_p2p_options(options: dict) -> None:
    """A server that is told its relays takes them at once; without it, p2pd looks for four candidates for three minutes.
    Where no port is to be opened in the router, the short-lived peers that check the identity must not do it either."""
    from hivemind.p2p import P2P
    from petals.cli import run_server

    run_server.Server = functools.partial(run_server.Server, **options)
    forced = {}
    if "trusted_relays" in options:
        forced["relayDiscovery"] = 0
    if options.get("nat_port_map") is False:
        forced["natPortMap"] = 0
    make_arguments = P2P._make_process_args
    P2P._make_process_args = staticmethod(lambda *args, **kwargs: make_arguments(*args, **{**kwargs, **forced}))


def skip_speed_test() -> None:
    """Petals measures the line with servers of speedtest.net. A private swarm has no use for it: the value that Petals
    itself takes when they do not answer, 100 Mbit/s."""
    from petals.server import throughput

    throughput.measure_network_rps = lambda config, **_: 100e6 / (config.hidden_size * 16)


if __name__ == "__main__":
    end_with_starter()  # before the imports, which take seconds
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")  # read by imports, too

    import petals_compat  # noqa: F401  (must come before petals)
    import petals_report
    from petals.cli.run_server import main

    send_no_reports()
    petals_report.report()
    if os.environ.get("PETALS_CHAT_SPEED_TEST") == "0":
        skip_speed_test()
    if sys.argv[1:2] == ["--p2p"]:
        set_p2p_options(json.loads(sys.argv[2]))
        del sys.argv[1:3]
    main()
