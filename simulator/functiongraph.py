"""FunctionGraph: how it calls a function that is a container image, and what it makes of the answer.

Sources: FunctionGraph User Guide, "Creating a Function with an Image" and "Configuring Asynchronous Execution
Notification"; the samples of Open Telekom Cloud's Python runtime for the headers; openYuanrong's HTTP handler, which
uses the same names, for what counts as a failed run. What the cloud itself counts as one is not documented.
"""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from .account import AccessKey
from .exchange import Json

MAX_ASYNC_BYTES: Final = 256 << 10
MAX_ANSWER_BYTES: Final = 6 << 20
MAX_RETRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the function.

    Args:
        status: of the HTTP answer; 0 where there was none.
        payload: what the answer's body says the function returned: `statusCode`, `headers`, `body`.
        failed: why the run failed; None if it did not.
    """

    status: int
    payload: Mapping[str, Json] = field(default_factory=dict)
    failed: str | None = None

    @property
    def body(self) -> Json:
        """The JSON that the function returned."""
        return json.loads(self.payload["body"])


@dataclass(slots=True, kw_only=True)
class FunctionGraph:
    """One function with its asynchronous configuration.

    Args:
        url: where its container listens.
        keys: the agency's keys at the time of a request, as headers; none unless `enable_auth_in_header` is on.
        timeout: of the function, in seconds.
        retries: of a run that failed.
        cut: whether the platform loses this run: it closes the connection when all is sent.

    Attributes:
        dead: what was sent to the destination of runs that failed for good.
    """

    url: str
    keys: Callable[[], Mapping[str, str]] = dict
    name: str = "backup-reaper-reaper"
    project_id: str = "054e292c9880d4992f02c0196d3ea468"
    timeout: float = 60.0
    retries: int = MAX_RETRIES
    cut: Callable[[], bool] = lambda: False
    dead: list[Json] = field(default_factory=list)

    @property
    def urn(self) -> str:
        """The function's name in the cloud."""
        return f"urn:fss:cn-north-4:{self.project_id}:function:default:{self.name}:latest"

    def init(self) -> int:
        """Initialise the instance, once before its first request; the status is not looked at."""
        return self._post("/init", b"{}", str(uuid4()))[0]

    def invoke(self, event: Json, request_id: str | None = None) -> Run:
        """Run the function once with this body."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        try:
            return _read(*self._post("/invoke", body, request_id or str(uuid4())))
        except (OSError, http.client.HTTPException) as error:
            return Run(status=0, failed=f"no answer: {type(error).__name__}")

    def invoke_async(self, event: Json) -> list[Run]:
        """Run it until a run does not fail, or the retries are used up; all runs, in order.

        The time between two runs is not documented: none here.
        """
        body = json.dumps(event).encode()
        if len(body) > MAX_ASYNC_BYTES:
            raise ValueError("an asynchronous request may have 256 KB")
        request_id = str(uuid4())
        runs = list(self._attempts(body, request_id))
        if runs[-1].failed:
            self.dead.append(self._message(event, request_id, runs))
        return runs

    def _attempts(self, body: bytes, request_id: str) -> Iterator[Run]:
        for _ in range(1 + self.retries):
            run = self.invoke(body, request_id)
            yield run
            if not run.failed:
                return

    def _post(self, path: str, body: bytes, request_id: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self.timeout)
        try:
            connection.request("POST", path, body, self._headers(request_id))
            if self.cut():
                raise ConnectionAbortedError
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _headers(self, request_id: str) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Connection": "close",  # no connection is used twice
            "X-CFF-Request-Id": request_id,
            "X-CFF-Memory": "256",
            "X-CFF-Timeout": str(int(self.timeout)),
            "X-CFF-Func-Version": "latest",
            "X-CFF-Func-Name": f"0@default@{self.name}",
            "X-CFF-Project-Id": self.project_id,
            "X-CFF-Package": "default",
            "X-CFF-Region": "cn",
            **self.keys(),
        }

    def _message(self, event: Json, request_id: str, runs: list[Run]) -> Json:
        return {
            "timestamp": datetime.now(UTC).isoformat(),
            "request_context": {
                "request_id": request_id,
                "function_urn": self.urn,
                "condition": "RetriesExhausted",
                "approximate_invoke_count": len(runs),
            },
            "request_payload": event,
            "response_context": {"status_code": runs[-1].status, "function_error": runs[-1].failed},
            "response_payload": dict(runs[-1].payload),
        }


def key_headers(key: AccessKey, token: str = "agency-token") -> dict[str, str]:
    """An agency's temporary key as the platform puts it into a request."""
    return {
        "X-CFF-Auth-Token": token,
        "X-CFF-Security-Access-Key": key.access,
        "X-CFF-Security-Secret-Key": key.secret,
        "X-CFF-Security-Token": key.security_token or "",
    }


def timer_event(time: datetime, *, trigger_name: str = "backup-reaper-timer", user_event: str = "") -> dict[str, Json]:
    """The body with which a TIMER trigger calls."""
    return {
        "version": "v1.0",
        "time": time.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "trigger_type": "TIMER",
        "trigger_name": trigger_name,
        "user_event": user_event,
    }


def _read(status: int, body: bytes) -> Run:
    """What the platform makes of an answer; the safe reading where two are possible."""
    if len(body) > MAX_ANSWER_BYTES:
        return Run(status=status, failed="the answer is larger than 6 MB")
    try:
        payload = json.loads(body)
        code = payload["statusCode"]
        if not (isinstance(payload["body"], str) and isinstance(payload["headers"], dict)):
            raise TypeError
        if type(code) is not int or payload["isBase64Encoded"] is not False:
            raise TypeError
    except (ValueError, LookupError, TypeError):
        return Run(status=status, failed="FSS.1202: the response body is invalid")
    if not 200 <= status < 300 or code != 200:
        return Run(status=status, payload=payload, failed=f"status {status}, statusCode {code}")
    return Run(status=status, payload=payload)
