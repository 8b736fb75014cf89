"""The simulator as a process: prints a URL for each engine when it listens, ends on SIGTERM or SIGINT.

The demo's account accepts `X-Auth-Token: demo-token`; `make serve` prints its other credentials.
"""

import argparse
import json
import signal
from pathlib import Path

from . import Fault, Simulator
from .accounts import load_account
from .service import Service
from .services import SERVICES


def main() -> None:
    """Run until told to end."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=0, help="of the first engine, the others get the next ones; default: free ones"
    )
    parser.add_argument(
        "--engines", type=_services, default="taurusdb", metavar="A,B", help=f"of {', '.join(SERVICES)}"
    )
    parser.add_argument("--account", type=load_account, metavar="FILE", help="JSON; default: the demo's account")
    parser.add_argument("--faults", type=_faults, default=[], metavar="JSON|@FILE", help="one fault or a list of them")
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before there are threads, which inherit it
    try:
        asked = parser.parse_args()
        simulator = Simulator(
            asked.account, services=asked.engines, host=asked.host, port=asked.port, faults=asked.faults
        ).start()
    except OSError as error:
        parser.error(str(error))
    print(*simulator.urls.values(), sep="\n", flush=True)
    signal.sigwait(ends)
    simulator.stop()


def _services(text: str) -> list[Service]:
    unknown = sorted(set(text.split(",")) - set(SERVICES))
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return [SERVICES[name] for name in text.split(",")]


def _faults(text: str) -> list[Fault]:
    return Fault.from_json(json.loads(Path(text[1:]).read_text() if text.startswith("@") else text))


if __name__ == "__main__":
    main()
