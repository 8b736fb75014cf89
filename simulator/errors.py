"""The cloud's refusals: their codes, statuses, messages and the shapes they are written in."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from .exchange import Answer, Json, Request

# Code → status, message (§1, §4, §5; IAM's own table), the same for `X-Language: zh-cn` (ours: only the codes matter).
_ERRORS: Final[Mapping[str, tuple[int, str, str]]] = {
    "DBS.200010": (
        403,
        "The DB instance ID or user ID may be null, or the operation is not authorized.",
        "实例ID或用户ID为空或操作未授权。",
    ),
    "DBS.200044": (403, "Resource not found or permission denied.", "资源不存在或无权限。"),
    "DBS.201010": (404, "The backup information does not exist.", "备份信息不存在。"),
    "DBS.201203": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201205": (409, "Backup is in progress, please wait.", "正在备份。"),
    "DBS.201208": (400, "The operation is not allowed by the backup status.", "备份状态不允许该操作。"),
    "DBS.280001": (400, "Parameter error.", "参数错误。"),
    "DBS.280214": (400, "The backup does not exist.", "备份不存在。"),
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
    """A request is refused with `code`; `detail` is appended to its message."""

    def __init__(self, code: str, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.headers = headers or {}

    def answer(self, request: Request) -> Answer:
        """Return the refusal in the language and shape (§3) that `request` meets it in."""
        status, english, chinese = _ERRORS[self.code]
        message = chinese if request.headers.get("X-Language") == "zh-cn" else english
        if self.detail:
            message += f": {self.detail}"
        return Answer(status, self._body(status, message, request), self.headers)

    def _body(self, status: int, message: str, request: Request) -> Json:
        # IAM writes both shapes (§5); the lock is the one refusal for which only its code tells what it is.
        if self.code.startswith("IAM.") and self.code != "IAM.0061":
            return {"error": {"message": message, "code": status, "title": HTTPStatus(status).phrase}}
        body = {"error_code": self.code, "error_msg": message}
        return body | {"request_id": request.id} if self.code.startswith(("APIGW.", "EG.")) else body
