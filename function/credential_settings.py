"""The settings of the credential: a token, an IAM user or an access key."""

from .cloud.credentials import (
    PASSWORD,
    CredentialSettings,
    KeySettings,
    Secret,
    TokenSettings,
    UserSettings,
    read_together,
)
from .endpoints import iam_url
from .variables import Reader, line, versioned_url


def read_credential(reader: Reader) -> CredentialSettings:
    """The one kind of credential that is set; none, or more than one, is a fault."""
    token = reader.any_of(["HW_AUTH_TOKEN"])
    user = reader.any_of(["HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME"])
    key = reader.any_of(["HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"])
    match bool(token), bool(user), bool(key):
        case True, False, False:
            return TokenSettings(reader.secret("HW_AUTH_TOKEN"))
        case False, True, False:
            return _user(reader)
        case False, False, True:
            return _key(reader)
    kinds = {"a token": token, "an IAM user": user, "an access key": key}
    found = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in kinds.items() if names)
    none = "none, of HW_AUTH_TOKEN, HW_USER_NAME and HW_ACCESS_KEY with what belongs to each"
    reader.faults.append(f"exactly one kind of credential must be set; found: {found or none}")
    return TokenSettings(Secret("HW_AUTH_TOKEN"))  # never used: this fault ends the start


def _user(reader: Reader) -> UserSettings:
    return UserSettings(
        name=reader.required("HW_USER_NAME", line, ""),
        password=reader.secret("HW_USER_PASSWORD", PASSWORD),
        domain=reader.required("HW_DOMAIN_NAME", line, ""),
        auth_url=_auth_url(reader),
    )


def _key(reader: Reader) -> KeySettings:
    temporary = reader.any_of(["HW_SECURITY_TOKEN"])
    before = len(reader.faults)
    key = KeySettings(
        access_key=reader.secret("HW_ACCESS_KEY"),
        secret_key=reader.secret("HW_SECRET_KEY"),
        security_token=reader.secret("HW_SECURITY_TOKEN") if temporary else None,
    )
    if len(reader.faults) == before:  # each part can be read: can they be read together?
        reader.check(lambda: read_together(key.secrets))
    return key


def _auth_url(reader: Reader) -> str:
    if reader.has("HW_AUTH_URL") or not reader.has("HW_REGION_NAME"):
        return reader.required("HW_AUTH_URL", versioned_url, "")
    return reader.optional("HW_REGION_NAME", iam_url, "")
