"""The plan of the simulator's account: `python -m simulator.plan [OPTION …]`, the options of `python -m function plan`.

The policy is retention.toml beside this file, unless `--policy` names another.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from .processes import ROOT, Running, clean_environment, note_signals, run_simulator

POLICY: Final = ROOT / "simulator" / "retention.toml"


def main(options: Sequence[str]) -> int | str:
    """Run until done; return the exit status, or what is wrong."""
    ends = note_signals()
    try:
        with run_simulator() as simulator, start_plan(simulator, *options) as planning:
            status = planning.wait()
    except (OSError, RuntimeError) as error:
        return str(error)
    return 128 + ends[0] if ends else status


def planner_settings(simulator: Running) -> Mapping[str, str]:
    """Return the settings with which the planner plans for the simulator's account."""
    return {"REAPER_API_ENDPOINT": simulator.url, "HW_AUTH_TOKEN": "demo-token", "REAPER_POLICY_FILE": str(POLICY)}


def start_plan(simulator: Running, *options: str, output: int | None = None) -> subprocess.Popen[str]:
    """Start the command line's `plan`; it writes to this process's output unless another is given."""
    command = [sys.executable, "-m", "function", "plan", *options]
    settings = clean_environment(planner_settings(simulator))
    # A session of its own: Ctrl-C would end it with a message that the user did not ask for.
    return subprocess.Popen(command, env=settings, stdout=output, text=True, start_new_session=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
