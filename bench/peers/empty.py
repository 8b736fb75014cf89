"""An empty function: what the framework itself costs."""

import flask
import functions_framework


@functions_framework.http
def delete_backup(request: flask.Request) -> tuple[str, int]:
    """Answer nothing."""
    return "", 204
