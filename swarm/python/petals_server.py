"""A Petals server, with the arguments of `petals.cli.run_server`. Ends when its standard input does."""

import os
import signal


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


if __name__ == "__main__":
    end_with_starter()  # before the imports, which take seconds

    import petals_compat  # noqa: F401  (must come before petals)
    from petals.cli.run_server import main

    main()
