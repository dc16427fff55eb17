"""A Petals server with the arguments of `petals.cli.run_server`. It ends when its standard input closes.

`--p2p JSON`, before the other arguments, sets arguments of `Server` and hivemind's `P2P.create` for which `run_server` has no flags.
"""

import functools
import json
import os
import signal
import sys


def end_with_starter() -> None:
    """Ends this process group as soon as the process that started it has ended, for any reason: standard input is a pipe
    from it. A process outside the group watches the pipe, because a stopped group can't."""
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
            pass  # the group has already ended
        os._exit(0)
    os.dup2(nothing, 0)
    os.close(nothing)


def send_no_reports() -> None:
    """Turns off the check for a newer Petals, for which `run_server` contacts PyPI at each start."""
    from petals.cli import run_server

    run_server.validate_version = lambda: None


def set_p2p_options(options: dict) -> None:
    """Sets the server's relays, which it then uses immediately: without them, p2pd searches for four candidates for three minutes.
    If no port may be opened in the router, the short-lived peers that check the identity must not open one either."""
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
    """Petals measures the network speed with servers of speedtest.net. A private swarm does not need that: it gets Petals' own
    fallback value for the case that those servers do not answer, 100 Mbit/s."""
    from petals.server import throughput

    throughput.measure_network_rps = lambda config, **_: 100e6 / (config.hidden_size * 16)


def serve(prepare=lambda: None) -> None:
    """Runs the server. `prepare` is called once Petals can be imported."""
    end_with_starter()  # before the imports, which take seconds
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")  # imports read them, too

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
    prepare()
    main()


if __name__ == "__main__":
    serve()
