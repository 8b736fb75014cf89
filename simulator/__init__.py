"""A stateful stand-in for Huawei Cloud: the backup APIs of its database services, and IAM, with faults on demand.

In a test: `with Simulator() as sim:` and talk to `sim.url`. As a process: `python -m simulator --port 8001`.
EventGrid's PutEvents is there too, and `functiongraph` calls a function as FunctionGraph does.
What the cloud does is taken from its documentation, which each module names; a comment says what is not documented.
A service is one value in `services/`; a simulator serves one, and several can share an account.

Control over HTTP, under `/_simulator/`, without a token; JSON both ways; never recorded, faulted or throttled:

    GET             state      now, projects, backups (with their project_id), absent, token_life, throttle
    GET DELETE      calls      the requests seen, oldest first; forget them
    GET POST DELETE faults     what is still to go wrong; add one fault or a list of them; none any more
    GET POST        clock      {"now"}; move it by {"advance": seconds}
    GET PUT DELETE  throttle   {"limit", "seconds", "retry_after"}; set it; none any more
    POST            backups    add one backup (an item of `state`)
    POST            revoke     revoke every token there is
    POST            reset      account, clock, calls and faults as they were at the start
"""

from .account import AccessKey, Account, Backup, Channel, Datastore, Throttle, Token, User
from .exchange import Call
from .faults import Fault
from .server import Simulator

__all__ = [
    "AccessKey",
    "Account",
    "Backup",
    "Call",
    "Channel",
    "Datastore",
    "Fault",
    "Simulator",
    "Throttle",
    "Token",
    "User",
]
