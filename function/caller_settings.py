"""The settings of who may deliver events. Read only where one of them is set."""

from pathlib import Path

from .caller_keys import read_file, read_key_set
from .callers import CallerSettings
from .exchange import is_loopback
from .variables import Reader, line, listed, sink_url


def read_callers(reader: Reader) -> CallerSettings:
    """Whose tokens are accepted: issuer, audience, subjects, and where the keys are; all of it is needed."""
    by_url, in_file = reader.has("REAPER_CALLER_JWKS_URL"), reader.has("REAPER_CALLER_JWKS_FILE")
    if by_url == in_file:
        reader.faults.append("either REAPER_CALLER_JWKS_URL or REAPER_CALLER_JWKS_FILE must be set")
    url: str = reader.optional("REAPER_CALLER_JWKS_URL", _url, "")
    file: Path | None = reader.optional("REAPER_CALLER_JWKS_FILE", _file, None)
    subjects: tuple[str, ...] = reader.required("REAPER_CALLER_SUBJECTS", listed("subjects of tokens", bool), ())
    return CallerSettings(
        issuer=reader.required("REAPER_CALLER_ISSUER", line, ""),
        audience=reader.required("REAPER_CALLER_AUDIENCE", line, ""),
        subjects=frozenset(subjects),
        jwks=file or url,
    )


def _url(text: str) -> str:
    if not sink_url(text).startswith("https:") and not is_loopback(text):
        raise ValueError("must begin with https://: http:// is only for localhost and loopback addresses")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    try:
        read_key_set(read_file(path))
    except ValueError as fault:
        raise ValueError(f"cannot be used: {fault}") from None
    return path
