"""Answers that cost much to read, many at once: CPU and memory are within the deadline's promise too."""

import base64
import random
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from function.cloud.credentials import MAX_SECRET_CHARS
from function.redaction import FRAGMENT
from function.strict_json import MAX_SEPARATORS
from simulator import Fault, Simulator
from simulator.account import Token
from simulator.processes import Running, run_function
from tests.facts.account import BACKUP
from tests.wire.deliverer import Reply, deliver, expired_event
from tests.wire.memory import peak_bytes

AT_ONCE: Final = 64
DEADLINE: Final = 10.0
SLACK: Final = 2.0
MAX_PROCESS_BYTES: Final = 250 << 20
MAX_BODY_BYTES: Final = 1 << 19  # what the transport takes

TOKEN: Final = base64.b64encode(random.Random(1).randbytes(MAX_SECRET_CHARS * 3 // 4)).decode()  # the longest
PART: Final = TOKEN[:FRAGMENT]
PIECES: Final = ",".join(f'"{TOKEN[start : start + 8]}"' for start in range(0, 11_200, 8))  # 1,400, each no part
ESCAPES: Final = "%2525252525252525|"  # eight layers

NESTED: Final = '{"a":{"b":{"c":0}}},'  # the most expensive that was found, in time and in memory


def filled(start: str, unit: str, end: str, *, separators: int = MAX_SEPARATORS) -> bytes:
    """JSON with so many separators, the rest of what a body may hold filled with escapes: they are read twice."""
    around = f'{start}"pad":"%s","filling":[%s0]{end}'
    left = separators - len(re.findall(r"[,:\[{]", around))
    filling = unit * (left // len(re.findall(r"[,:\[{]", unit)))
    escapes = "\\u00e9" * ((MAX_BODY_BYTES - len(around) - len(filling)) // 6)
    return (around % (escapes, filling)).encode()


def costly(body: bytes, *, method: str = "DELETE", headers: Mapping[str, str] | None = None) -> Fault:
    return Fault(method=method, status=200, body=body, headers=headers or {})


ANSWERS: Final[Mapping[str, Fault]] = {
    "a deletion's, at the limit": costly(filled(f'{{"backup_id":"{BACKUP}",', NESTED, "}")),
    "a refusal's, at the limit": costly(filled('{"error_code":"DBS.1","error_msg":"m",', NESTED, "}")),
    "a list's, at the limit": costly(filled('{"total_count":1,"backups":[{"id":"x",', NESTED, "}]}"), method="GET"),
    "over the limit": costly(b"[" + b'{"":0},' * (MAX_BODY_BYTES // 7 - 1) + b"0]"),
    "pieces of our token": costly(f'["{PART}",{PIECES}]'.encode()),
    "parts of our token in one base64": costly(base64.b64encode(TOKEN.encode())[:FRAGMENT] * 1_300),
    "escapes of escapes": costly((PART + ESCAPES * 29_100).encode()),
    "escapes of escapes, all searched": costly((PART + ESCAPES * 909).encode()),
    "escapes of escapes in headers": costly(b"{}", headers={f"X-{each}": PART + ESCAPES * 890 for each in range(8)}),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_64_of_the_most_expensive_answers_at_once_are_read_in_time_and_in_little_memory(
    simulator: Simulator, what: str
) -> None:
    answer = ANSWERS[what]
    assert isinstance(answer.body, bytes)
    assert len(answer.body) <= MAX_BODY_BYTES
    settings = {
        "REAPER_API_ENDPOINT": simulator.url,
        "HW_AUTH_TOKEN": TOKEN,
        "THREADS": str(AT_ONCE + 2),
        "REAPER_DEADLINE_SECONDS": str(DEADLINE),
    }
    simulator.account.tokens[TOKEN] = Token(TOKEN)
    with run_function(settings) as running:
        simulator.faults.replace([answer] * AT_ONCE)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            replies = list(pool.map(lambda _: deliver_one(running, read_first=answer.method == "GET"), range(AT_ONCE)))

        simulator.faults.replace()
        assert {reply.status for reply in replies} <= {200, 503}
        assert not [reply for reply in replies if b"NO_ANSWER" in reply.body]  # each was read
        assert max(reply.seconds for reply in replies) < DEADLINE + SLACK
        assert peak_bytes(running.process.pid) < MAX_PROCESS_BYTES
        assert deliver_one(running, read_first=False).status == 200


def deliver_one(running: Running, *, read_first: bool) -> Reply:
    members = {"instance_id": "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07"} if read_first else {}
    return deliver(running.url, expired_event(members=members), timeout=60)
