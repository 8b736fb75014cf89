"""The ten lines most people would write, with a requests session and the CloudEvents SDK."""

import os

import flask
import functions_framework
import requests
from cloudevents.conversion import to_structured
from cloudevents.http import CloudEvent, from_http

session = requests.Session()
session.headers["X-Auth-Token"] = os.environ["HW_AUTH_TOKEN"]
endpoint = os.environ["REAPER_API_ENDPOINT"]


@functions_framework.http
def delete_backup(request: flask.Request) -> tuple[bytes, int, dict[str, str]]:
    """Delete the backup an event names."""
    data = from_http(request.headers, request.get_data()).data
    answer = session.delete(f"{endpoint}/v3/{data['project_id']}/backups/{data['backup_id']}", timeout=20)
    answer.raise_for_status()
    headers, body = to_structured(CloudEvent({"type": "backup.deleted", "source": "/plain"}, answer.json()))
    return body, 200, headers
