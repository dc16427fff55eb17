"""A Petals server that differs from the real one, for tests: `changed_server.py FOLDER CHANGE,… ARGUMENTS`.

FOLDER has `petals_server.py`. Changes: `lies` (lies.py), `rewinding` (rewinding.py).
"""

import importlib
import sys

contribute, changes = sys.argv.pop(1), sys.argv.pop(1).split(",")
sys.path.insert(0, contribute)
import petals_server  # noqa: E402


def install_changes() -> None:
    for name in changes:
        importlib.import_module(name).install()


if __name__ == "__main__":
    petals_server.serve(install_changes)
