"""The cloud's refusals: codes, statuses, messages, and the JSON in which they are written.

Sources: "Error Codes" in the API Gateway User Guide, the IAM API Reference and the EventGrid API Reference. The Chinese
messages (`X-Language: zh-cn`) are ours: only the codes matter.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, TypeAlias

from .exchange import Answer, Json, Request

Errors: TypeAlias = Mapping[str, tuple[int, str, str]]
"""Code → status, English message, Chinese message."""

_ERRORS: Final[Errors] = {
    "APIGW.0101": (404, "The API does not exist or has not been published in the environment", "API不存在或未发布"),
    "APIGW.0301": (401, "Incorrect IAM authentication information", "IAM认证信息错误"),
    "APIGW.0307": (401, "The token must be updated", "Token需要更新"),
    "APIGW.0308": (429, "The throttling threshold has been reached", "已达到流控阈值"),
    "EG.00513000": (400, "Invalid parameters.", "参数错误。"),
    "EG.00513005": (400, "The event channel does not exist.", "事件通道不存在。"),
    "EG.00533007": (400, "The events are too large in all.", "事件总大小超限。"),
    "IAM.0002": (403, "You are not authorized to perform the requested action.", "没有权限执行该操作。"),
    "IAM.0004": (404, "Could not find project", "未找到项目"),
    "IAM.0011": (400, "Request body is invalid.", "请求体无效。"),
    "IAM.0061": (401, "The account is locked.", "账号已被锁定。"),
    "IAM.0062": (401, "The username or password is wrong.", "用户名或密码错误。"),
}


class ApiError(Exception):
    """A request is refused with `code`, which is one of `errors`; `detail` is appended to its message."""

    def __init__(
        self, code: str, detail: str = "", *, headers: Mapping[str, str] | None = None, errors: Errors = _ERRORS
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.status, self._english, self._chinese = errors[code]
        self.detail = detail
        self.headers = headers or {}

    def answer(self, request: Request) -> Answer:
        """Return the refusal in the language of `request`."""
        message = self._chinese if request.headers.get("X-Language") == "zh-cn" else self._english
        if self.detail:
            message += f": {self.detail}"
        return Answer(self.status, self._body(message, request), self.headers)

    def _body(self, message: str, request: Request) -> Json:
        # IAM writes both shapes, and which one when is not documented. Chosen: the lock has its code, since nothing
        # else tells it from a wrong password.
        if self.code.startswith("IAM.") and self.code != "IAM.0061":
            return {"error": {"message": message, "code": self.status, "title": HTTPStatus(self.status).phrase}}
        body = {"error_code": self.code, "error_msg": message}
        return body | {"request_id": request.id} if self.code.startswith(("APIGW.", "EG.")) else body
