"""The database services that answer `DELETE /v3/{project_id}/backups/{backup_id}`: one value each."""
