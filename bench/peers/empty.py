"""An empty function: what the framework itself costs."""

import functions_framework


@functions_framework.http
def delete_backup(request):
    """Answer nothing."""
    return "", 204
