"""The arguments of the provider's resources that deploy/functiongraph uses, and their types.

Source: the pages of huaweicloud/huaweicloud 1.97.1 in the Terraform registry, one for each resource. Where they call an
argument required that the provider's code does not (`app`, `code_type`, `handler`, `sources.id`), it is required here.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Block:
    """A nested block.

    Args:
        nesting: `list` or `set`.
        attributes: by name; see RESOURCES.
        least: how many there must be.
        most: how many there may be; 0 for any number.
    """

    nesting: str
    attributes: dict[str, str]
    least: int = 0
    most: int = 0


DESTINATION: Final = {"destination": "string required", "param": "string required"}

PROVIDER: Final = {
    "region": "string optional",
    "access_key": "string optional",
    "secret_key": "string optional",
    "project_name": "string optional",
    "auth_url": "string optional",
}

# name -> type, and whether it is `required`, `optional`, `computed` (the cloud gives it), or the last two.
RESOURCES: Final[dict[str, dict[str, str | Block]]] = {
    "huaweicloud_fgs_function": {
        "id": "string computed",
        "region": "string optional computed",
        "name": "string required",
        "app": "string required",
        "runtime": "string required",
        "code_type": "string required",
        "handler": "string required",
        "memory_size": "number required",
        "timeout": "number required",
        "description": "string optional",
        "functiongraph_version": "string optional computed",
        "agency": "string optional",
        "app_agency": "string optional computed",
        "enable_auth_in_header": "bool optional computed",
        "user_data": "string optional",
        "encrypted_user_data": "string optional",
        "initializer_handler": "string optional computed",
        "initializer_timeout": "number optional computed",
        "concurrency_num": "number optional computed",
        "max_instance_num": "string optional computed",
        "ephemeral_storage": "number optional computed",
        "enterprise_project_id": "string optional computed",
        "vpc_id": "string optional",
        "network_id": "string optional",
        "enable_lts_log": "bool optional computed",
        "log_group_id": "string optional computed",
        "log_group_name": "string optional computed",
        "log_stream_id": "string optional computed",
        "log_stream_name": "string optional computed",
        "tags": "map optional",
        "urn": "string computed",
        "version": "string computed",
        "custom_image": Block(
            "list",
            {
                "url": "string required",
                "command": "string optional",
                "args": "string optional",
                "working_dir": "string optional computed",
            },
            most=1,
        ),
    },
    "huaweicloud_fgs_function_trigger": {
        "id": "string computed",
        "region": "string optional computed",
        "function_urn": "string required",
        "type": "string required",
        "event_data": "string required",
        "status": "string optional computed",
        "created_at": "string computed",
        "updated_at": "string computed",
    },
    "huaweicloud_fgs_async_invoke_configuration": {
        "id": "string computed",
        "region": "string optional computed",
        "function_urn": "string required",
        "max_async_event_age_in_seconds": "number required",
        "max_async_retry_attempts": "number required",
        "enable_async_status_log": "bool optional",
        "on_success": Block("list", DESTINATION, most=1),
        "on_failure": Block("list", DESTINATION, most=1),
    },
    "huaweicloud_eg_custom_event_channel": {
        "id": "string computed",
        "region": "string optional computed",
        "name": "string required",
        "description": "string optional",
        "enterprise_project_id": "string optional computed",
        "created_at": "string computed",
        "updated_at": "string computed",
    },
    "huaweicloud_eg_custom_event_source": {
        "id": "string computed",
        "region": "string optional computed",
        "channel_id": "string required",
        "name": "string required",
        "type": "string optional computed",
        "description": "string optional",
        "detail": "string optional computed",
        "status": "string computed",
        "created_at": "string computed",
        "updated_at": "string computed",
    },
    "huaweicloud_eg_event_subscription": {
        "id": "string computed",
        "region": "string optional computed",
        "channel_id": "string required",
        "name": "string required",
        "description": "string optional",
        "status": "string computed",
        "created_at": "string computed",
        "updated_at": "string computed",
        "sources": Block(
            "set",
            {
                "id": "string required",
                "provider_type": "string required",
                "name": "string required",
                "filter_rule": "string required",
                "created_at": "string computed",
                "updated_at": "string computed",
            },
            least=1,
        ),
        "targets": Block(
            "set",
            {
                "id": "string required",
                "provider_type": "string required",
                "name": "string required",
                "detail_name": "string required",
                "detail": "string required",
                "transform": "string required",
                "connection_id": "string optional",
                "dead_letter_queue": "string optional computed",
                "created_at": "string computed",
                "updated_at": "string computed",
            },
            least=1,
        ),
    },
    "huaweicloud_identity_role": {
        "id": "string computed",
        "name": "string required",
        "description": "string required",
        "type": "string required",
        "policy": "string required",
        "references": "number computed",
    },
    "huaweicloud_identity_agency": {
        "id": "string computed",
        "name": "string required",
        "delegated_domain_name": "string required",
        "description": "string optional",
        "duration": "string optional",
        "domain_roles": "strings optional",
        "all_resources_roles": "strings optional",
        "create_time": "string computed",
        "expire_time": "string computed",
        "project_role": Block("set", {"project": "string required", "roles": "strings required"}),
    },
    "huaweicloud_lts_group": {
        "id": "string computed",
        "region": "string optional computed",
        "group_name": "string required",
        "ttl_in_days": "number required",
    },
    "huaweicloud_lts_stream": {
        "id": "string computed",
        "region": "string optional computed",
        "group_id": "string required",
        "stream_name": "string required",
        "ttl_in_days": "number optional",
    },
    "huaweicloud_smn_topic": {
        "id": "string computed",
        "region": "string optional computed",
        "name": "string required",
        "display_name": "string optional",
        "topic_urn": "string computed",
    },
    "huaweicloud_smn_subscription": {
        "id": "string computed",
        "region": "string optional computed",
        "topic_urn": "string required",
        "protocol": "string required",
        "endpoint": "string required",
        "remark": "string optional",
        "subscription_urn": "string computed",
    },
}
