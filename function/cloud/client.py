"""Which calls one command needs, and in which order: renewal under every call, read-back after an unclear answer."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from ..backups import Backup, DeleteBackup, Deleted, Failed
from ..delivery import Delivery
from ..errors import ApiDeniedError, NotFinalError, UndecidedError
from ..exchange import Answer, Request, read_date
from . import api
from .authorized import Credential, send_authorized
from .engines.engine import Engine
from .lockout import Verdict

MAX_PAGES: Final = 20

log = logging.getLogger(__name__)


class BackupClient:
    """The backup API of one engine.

    Args:
        endpoint: scheme, host and port.
        language: of the API's messages, `en-us` or `zh-cn`.
        exchange: sends one request and returns the whole answer, or raises ApiUnavailableError.
    """

    def __init__(
        self,
        engine: Engine,
        endpoint: str,
        language: str,
        credential: Credential,
        exchange: Callable[[Request, Delivery], Answer],
    ) -> None:
        self.engine = engine
        self._endpoint = endpoint
        self._headers = {"X-Language": language} if engine.takes_language else {}
        self._credential = credential
        self._exchange = exchange

    def delete(self, command: DeleteBackup, delivery: Delivery) -> Deleted | Failed:
        """Delete the backup; one read-back where the answer does not settle it.

        Raises:
            NotFinalError: the API gave no final outcome.
        """
        log.info("deleting backup %s", command.backup_id, extra=delivery.about)  # a trail, should we crash now
        path = api.delete_path(command.project_id, command.backup_id)
        outcome = api.read_deletion(self._call("DELETE", path, command.project_id, delivery), self.engine)
        if isinstance(outcome, api.Unproven):
            return self._read_back(outcome, command, delivery)
        if isinstance(outcome, Deleted) and isinstance(outcome.response, dict):
            named = outcome.response.get("backup_id", command.backup_id)
            if named != command.backup_id:
                log.warning("the API deleted %s and called it %s", command.backup_id, named, extra=delivery.about)
        return outcome

    def _read_back(self, unproven: api.Unproven, command: DeleteBackup, delivery: Delivery) -> Deleted:
        try:
            # Where the list is per instance, the backup was found in it before the deletion: the instance is right.
            found = self._look_up(command, delivery)
        except ApiDeniedError:
            raise  # without the list permission no read-back will ever be clear: an operator must act
        except NotFinalError as unclear:
            raise unproven.otherwise from unclear
        if found:
            raise unproven.otherwise
        return unproven.if_absent

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        """The backup as the list shows it; None if it is shown to be absent.

        Raises:
            NotFinalError: the list is unclear, or there is none.
        """
        found = self._look_up(command, delivery)
        if not found and self.engine.needs_instance:
            self._require_instance(command.project_id, command.instance_id or "", delivery)
        return found

    def _look_up(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        found = []
        for path in api.find_paths(self.engine, command.project_id, command.backup_id, command.instance_id):
            answer = self.get(path, command.project_id, delivery)
            backup = api.read_found(answer, command.backup_id, self.engine)
            found += [backup] if backup else []
        if len(found) > 1:
            raise UndecidedError("UNCLEAR_LIST", "two lists hold the same backup")
        return found[0] if found else None

    def _require_instance(self, project_id: str, instance_id: str, delivery: Delivery) -> None:
        """With a mistyped instance its list is empty, too: only that of an instance that is there proves absence."""
        answer = self.get(api.instances_path(project_id, instance_id), project_id, delivery)
        if api.read_instances(answer, self.engine) != ([instance_id], 1):
            message = "the API does not list the event's instance, so the empty list of its backups proves nothing"
            raise UndecidedError("UNCLEAR_LIST", message)

    def manual_backups(self, project_id: str, instance_id: str, delivery: Delivery) -> list[Backup]:
        """All manual backups of an instance, from as many pages as it takes.

        Raises:
            NotFinalError: a page is unclear, or the pages do not make one list.
        """
        backups: list[Backup] = []
        for path in api.pages_of(self.engine, project_id, instance_id):
            backups += self._read_whole_list(path, project_id, delivery)
        if len({backup.id for backup in backups}) < len(backups):
            raise UndecidedError("UNCLEAR_LIST", "two lists hold the same backup")
        return backups

    def _read_whole_list(self, path: str, project_id: str, delivery: Delivery) -> list[Backup]:
        backups: dict[str, Backup] = {}
        counts = set()
        for _ in range(MAX_PAGES):
            answer = self.get(api.at_offset(path, len(backups)), project_id, delivery)
            page, count = api.read_backups(answer, self.engine)
            counts.add(count)
            seen = len(backups) + len(page)
            backups |= {backup.id: backup for backup in page}
            if len(counts) == 1 and len(backups) == seen == count:
                return list(backups.values())
            if len(counts) > 1 or len(backups) < seen or seen > count or not page:
                raise UndecidedError("UNCLEAR_LIST", "the list of backups changed while it was read")
        raise UndecidedError("UNCLEAR_LIST", f"the instance has more than {MAX_PAGES} pages of manual backups")

    def get(self, path: str, project_id: str, delivery: Delivery) -> Answer:
        """What the API answers to a read."""
        return self._call("GET", path, project_id, delivery)

    def _call(self, method: str, path: str, project_id: str, delivery: Delivery) -> Answer:
        """Send a request; where its credential is refused and there is a newer one, send it once more a delivery."""
        request = Request(method, self._endpoint + path, self._headers)
        sent, answer, verdict = self._ask(request, project_id, delivery)
        if verdict is Verdict.REFUSED and not delivery.renewed and self._credential.renew(sent, project_id):
            delivery.renewed = True
            _, answer, _ = self._ask(request, project_id, delivery)
        delivery.api_time = read_date(answer.headers.get("date")) or delivery.api_time
        return answer

    def _ask(self, request: Request, project_id: str, delivery: Delivery) -> tuple[Request, Answer, Verdict]:
        """What was sent, the answer, and what it says about the credential."""
        if delivery.traceparent:
            request = request.with_headers({"traceparent": delivery.traceparent})
        return send_authorized(
            request,
            project_id,
            delivery,
            credential=self._credential,
            exchange=self._exchange,
            read_verdict=partial(api.read_verdict, engine=self.engine),
        )
