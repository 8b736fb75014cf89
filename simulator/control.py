"""The simulator's controls over HTTP; the package's docstring lists them."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from .account import Account, Backup, Throttle
from .exchange import Answer, Call, Json, Request
from .faults import Fault, Faults

PREFIX: Final = "/_simulator/"


@dataclass(frozen=True, slots=True)
class Control:
    """Reads and changes one simulator; `first` are the faults that it started with."""

    account: Account
    faults: Faults
    calls: list[Call]
    first: tuple[Fault, ...]

    def answer(self, request: Request) -> Answer:
        """Carry the request out; a change is answered with what a GET would show, or with the state."""
        name = request.path.removeprefix(PREFIX)
        try:
            with self.account.lock:
                if request.method != "GET":
                    self._change(request.method, name, request.json() if request.body else None)
                return Answer(200, self._read(name))
        except NotImplementedError:
            return Answer(404, {"error": f"there is no {request.method} {name}"})
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # the body is not of the expected form
            return Answer(400, {"error": repr(error)})

    def reset(self) -> None:
        """Set account, clock, calls and faults back to what they were at the start."""
        with self.account.lock:
            self.account.reset()
            self.faults.replace(self.first)
            self.calls.clear()

    def _read(self, name: str) -> Json:
        match name:
            case "calls":
                return [call.to_json() for call in self.calls]
            case "clock":
                return {"now": self._now()}
            case "faults":
                return [fault.to_json() for fault in self.faults.left()]
            case "throttle":
                return asdict(self.account.throttle) if self.account.throttle else {}
            case "state" | "backups" | "revoke" | "reset":
                return self._state()
        raise NotImplementedError

    def _change(self, method: str, name: str, body: Json) -> None:
        match method, name:
            case "DELETE", "calls":
                self.calls.clear()
            case "POST", "faults":
                self.faults.add(*Fault.from_json(body))
            case "DELETE", "faults":
                self.faults.replace(())
            case "POST", "clock":
                self.account.advance(float(body["advance"]))
            case "PUT", "throttle":
                self.account.throttle = Throttle(**body)
            case "DELETE", "throttle":
                self.account.throttle = None
            case "POST", "backups":
                self.account.add(Backup.from_json(body))
            case "POST", "revoke":
                self.account.revoke_tokens()
            case "POST", "reset":
                self.reset()
            case _:
                raise NotImplementedError

    def _state(self) -> Json:
        account = self.account
        return {
            "now": self._now(),
            "projects": account.projects,
            "backups": [
                backup.to_json() for project_id in account.projects for backup in account.backups_of(project_id)
            ],
            "absent": account.absent,
            "token_life": account.token_life,
            "throttle": account.throttle and asdict(account.throttle),
        }

    def _now(self) -> str:
        return datetime.fromtimestamp(self.account.now(), UTC).isoformat()
