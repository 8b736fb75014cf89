"""Which calls one command needs, and in which order: renewal under every call, read-back after an unclear answer."""

import logging
from collections.abc import Callable
from typing import Final

from ..backups import Backup, DeleteBackup, Deleted, Failed
from ..delivery import Delivery
from ..errors import ApiDeniedError, NotFinalError, UndecidedError
from ..exchange import Answer, Request
from . import api
from .credentials import Credential

MAX_PAGES: Final = 20

log = logging.getLogger(__name__)


class BackupClient:
    """The backup API of one endpoint.

    Args:
        endpoint: scheme, host and port.
        language: of the API's messages, `en-us` or `zh-cn`.
        exchange: sends one request and returns the whole answer, or raises ApiUnavailableError.
    """

    def __init__(
        self,
        endpoint: str,
        language: str,
        credential: Credential,
        exchange: Callable[[Request, Delivery], Answer],
    ) -> None:
        self._endpoint = endpoint
        self._language = language
        self._credential = credential
        self._exchange = exchange

    def delete(self, command: DeleteBackup, delivery: Delivery) -> Deleted | Failed:
        """Delete the backup; one read-back where the answer does not settle it.

        Raises:
            NotFinalError: the API gave no final outcome.
        """
        request = api.delete_request(self._endpoint, self._language, command)
        log.info("deleting backup %s", command.backup_id, extra=delivery.about)  # a trail, should we crash now
        outcome = api.read_deletion(self._call(request, command, delivery))
        match outcome:
            case Deleted(response={"backup_id": named}) if named != command.backup_id:
                log.warning("the API deleted %s and called it %s", command.backup_id, named, extra=delivery.about)
        if not isinstance(outcome, api.Unproven):
            return outcome
        try:
            found = self.find(command, delivery)
        except ApiDeniedError:
            raise  # without the list permission no read-back will ever be clear: an operator must act
        except NotFinalError as unclear:
            raise outcome.present from unclear
        if found:
            raise outcome.present
        return outcome.absent

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        """The backup as the list shows it; None if it is shown to be absent.

        Raises:
            NotFinalError: the list is unclear, or there is none.
        """
        request = api.find_request(self._endpoint, self._language, command)
        return api.read_found(self._call(request, command, delivery), command.backup_id)

    def manual_backups(self, command: DeleteBackup, instance_id: str, delivery: Delivery) -> list[Backup]:
        """All manual backups of an instance, from as many pages as it takes.

        Raises:
            NotFinalError: a page is unclear, or the pages do not make one list.
        """
        backups: dict[str, Backup] = {}
        counts = set()
        for _ in range(MAX_PAGES):
            request = api.page_request(self._endpoint, self._language, command, instance_id, len(backups))
            page, count = api.read_backups(self._call(request, command, delivery))
            counts.add(count)
            seen = len(backups) + len(page)
            backups |= {backup.id: backup for backup in page}
            if len(counts) == 1 and len(backups) == seen == count:
                return list(backups.values())
            if len(counts) > 1 or len(backups) < seen or seen > count or not page:
                raise UndecidedError("UNCLEAR_LIST", "the list of backups changed while it was read")
        raise UndecidedError("UNCLEAR_LIST", f"the instance has more than {MAX_PAGES} pages of manual backups")

    def _call(self, request: Request, command: DeleteBackup, delivery: Delivery) -> Answer:
        """Exchange a request; where its credential is refused and there is a newer one, ask once more a delivery."""
        answer, newer = self._ask(request, command.project_id, delivery)
        if newer:
            delivery.renewed = True
            answer, _ = self._ask(request, command.project_id, delivery)
        return answer

    def _ask(self, request: Request, project_id: str, delivery: Delivery) -> tuple[Answer, bool]:
        """The answer, and whether to ask again."""
        if delivery.traceparent:
            request = request.with_headers({"traceparent": delivery.traceparent})
        with self._credential.attempt(request, project_id, delivery) as attempt:
            answer = attempt.without_secrets(self._exchange(attempt.request, delivery))
            attempt.accepted, attempt.date = api.accepts_credential(answer), answer.headers.get("date")
        refused = attempt.accepted is False and not delivery.renewed
        return answer, refused and self._credential.renew(attempt.request, project_id)
