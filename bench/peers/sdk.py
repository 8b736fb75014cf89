"""The same with the official SDK, which signs its requests and knows no token."""

import os

import flask
import functions_framework
from cloudevents.conversion import to_structured
from cloudevents.http import CloudEvent, from_http
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkgaussdb.v3 import DeleteGaussMySqlBackupRequest, GaussDBClient

PROJECT_ID = "054e292c9880d4992f02c0196d3ea468"
config = HttpConfig.get_default_config()
config.ssl_ca_cert = os.environ.get("REQUESTS_CA_BUNDLE")
client = (
    GaussDBClient.new_builder()
    .with_http_config(config)
    .with_credentials(BasicCredentials("access", "secret", PROJECT_ID))
    .with_endpoint(os.environ["REAPER_API_ENDPOINT"])
    .build()
)


@functions_framework.http
def delete_backup(request: flask.Request) -> tuple[bytes, int, dict[str, str]]:
    """Delete the backup an event names."""
    data = from_http(request.headers, request.get_data()).data
    answer = client.delete_gauss_my_sql_backup(DeleteGaussMySqlBackupRequest(backup_id=data["backup_id"]))
    result = {"backup_id": answer.backup_id, "backup_name": answer.backup_name}
    headers, body = to_structured(CloudEvent({"type": "backup.deleted", "source": "/sdk"}, result))
    return body, 200, headers
