"""IAM: tokens for users with a password.

Source: Huawei Cloud, "IAM: API Reference, Obtaining a User Token Through Password Authentication".
"""

import base64
import secrets
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from .account import Account, Token, User
from .errors import ApiError
from .exchange import Answer, Json, Request


def issue_token(account: Account, request: Request) -> Answer:
    """Issue a token for the user and scope of the body, which is of the password method; or raise ApiError."""
    try:
        body = request.json()
    except ValueError:
        body = None
    match body:
        case {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {
                        "user": {"name": str(name), "password": str(password), "domain": {"name": str(domain)}}
                    },
                },
                **auth,
            }
        }:
            user = _log_in(account, name, password, domain)
            return _token(account, user, _scope(account, user, auth.get("scope")), request)
        case _:
            raise ApiError("IAM.0011")


def _log_in(account: Account, name: str, password: str, domain: str) -> User:
    login, now = f"{domain}/{name}", account.now()
    if account.user_lockout.locked(login, now):
        raise ApiError("IAM.0061")
    user = account.users.get((domain, name))
    if user is None or user.password != password:
        account.user_lockout.failed(login, now)
        raise ApiError("IAM.0062")
    account.user_lockout.succeeded(login)
    return user


def _scope(account: Account, user: User, scope: Json) -> str | None:
    """Return the id of the project in `scope`, None for a domain or no scope: "if both are set, project wins"."""
    match scope:
        case {"project": {"id": str(project_id)}}:
            pass
        case {"project": {"name": str(name)}}:
            project_id = next((id_ for id_, known in account.projects.items() if known == name), name)
        case None | {"domain": {}}:
            return None
        case _:
            raise ApiError("IAM.0011")
    if project_id not in account.projects:
        raise ApiError("IAM.0004", project_id)
    if not account.allows(user.projects, project_id):
        raise ApiError("IAM.0002")
    return project_id


def _token(account: Account, user: User, project_id: str | None, request: Request) -> Answer:
    now = account.now()
    # Real ones are a signed message in base64: they begin with MII and are some hundred characters long.
    value = "MII" + base64.b64encode(secrets.token_bytes(300)).decode()
    projects = () if project_id is None else (project_id,)
    account.tokens[value] = Token(value, user.name, projects, now + account.token_life)
    domain = {"id": _id(user.domain), "name": user.domain}
    token: Json = {
        "expires_at": _written(now + account.token_life),
        "issued_at": _written(now),
        "methods": ["password"],
        "user": {"domain": domain, "id": _id(f"{user.domain}/{user.name}"), "name": user.name},
        "roles": [{"id": "0", "name": "te_admin"}],
    }
    if project_id is None:
        token["domain"] = domain
    else:
        token["project"] = {"domain": domain, "id": project_id, "name": account.projects[project_id]}
    if not dict(request.query).get("nocatalog"):
        token["catalog"] = []
    return Answer(201, {"token": token}, {"X-Subject-Token": value, "X-IAM-Trace-Id": request.id})


def _id(name: str) -> str:
    return uuid5(NAMESPACE_URL, name).hex


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
