# The large deployment: planner -> channel -> reaper -> channel. Nothing of it is made for the small one.

locals {
  # Two sources on one channel. The subscription takes the first alone, so that no result comes back as a request.
  requests = "${var.name}-requests"
  results  = "${var.name}-results"

  reaper_environment = merge(local.environment, {
    REAPER_EVENTGRID_CHANNEL_ID = one(huaweicloud_eg_custom_event_channel.events[*].id)
    REAPER_EVENTGRID_SOURCE     = local.results
  })
}

resource "huaweicloud_eg_custom_event_channel" "events" {
  count = local.large ? 1 : 0

  name        = var.name
  description = "Expired backups, and what became of them"
}

resource "huaweicloud_eg_custom_event_source" "requests" {
  count = local.large ? 1 : 0

  channel_id = huaweicloud_eg_custom_event_channel.events[0].id
  name       = local.requests
  type       = "APPLICATION"

  # A channel takes some seconds until it has sources; a function in between lets them pass.
  depends_on = [huaweicloud_fgs_function.planner]
}

resource "huaweicloud_eg_custom_event_source" "results" {
  count = local.large ? 1 : 0

  channel_id = huaweicloud_eg_custom_event_channel.events[0].id
  name       = local.results
  type       = "APPLICATION"

  depends_on = [huaweicloud_fgs_function.planner]
}

resource "huaweicloud_eg_event_subscription" "expired" {
  count = local.large ? 1 : 0

  channel_id = huaweicloud_eg_custom_event_channel.events[0].id
  name       = "${var.name}-expired"

  sources {
    id            = uuidv5("url", "urn:backup-reaper:${huaweicloud_eg_custom_event_channel.events[0].id}:source")
    provider_type = "CUSTOM"
    name          = huaweicloud_eg_custom_event_source.requests[0].name
    filter_rule = jsonencode({
      source = [{ op = "StringIn", values = [local.requests] }]
      type   = [{ op = "StringIn", values = ["dev.backup-reaper.backup.expired.v1"] }]
    })
  }

  targets {
    id            = uuidv5("url", "urn:backup-reaper:${huaweicloud_eg_custom_event_channel.events[0].id}:target")
    provider_type = "OFFICIAL"
    name          = "HC.FunctionGraph"
    detail_name   = "detail"
    detail = jsonencode({
      urn         = huaweicloud_fgs_function.reaper[0].urn
      invoke_type = "ASYNC" # EventGrid hands the event over once; retries and dead letters are FunctionGraph's
      agency_name = huaweicloud_identity_agency.eventgrid[0].name
    })
    transform = jsonencode({ type = "ORIGINAL", value = "" }) # any other hands over something that is no CloudEvent
  }

  lifecycle {
    ignore_changes = [sources, targets] # EventGrid adds to both; to change them, replace the subscription
  }
}

resource "huaweicloud_fgs_function" "reaper" {
  count = local.large ? 1 : 0

  name        = "${var.name}-reaper"
  description = "Deletes one expired backup for each event."
  app         = "default"
  runtime     = "Custom Image"
  code_type   = "Custom-Image-Swr"
  handler     = "-"

  custom_image {
    url     = var.image
    command = local.server
    args    = "--source,/app/function/main.py,--target,delete_backup"
  }

  agency                = huaweicloud_identity_agency.platform.name
  app_agency            = huaweicloud_identity_agency.reaper[0].name
  enable_auth_in_header = true
  user_data             = jsonencode(local.reaper_environment)

  functiongraph_version = "v2"
  memory_size           = var.memory_mb
  timeout               = 60 # longer than REAPER_DEADLINE_SECONDS (20 by default), so that the function ends by itself
  concurrency_num       = 1
  max_instance_num      = "4" # deletions at once; the API allows some 200 calls in 5 minutes

  enable_lts_log  = true
  log_group_id    = huaweicloud_lts_group.log.id
  log_group_name  = huaweicloud_lts_group.log.group_name
  log_stream_id   = huaweicloud_lts_stream.reaper[0].id
  log_stream_name = huaweicloud_lts_stream.reaper[0].stream_name
}

resource "huaweicloud_fgs_async_invoke_configuration" "reaper" {
  count = local.large ? 1 : 0

  function_urn                   = huaweicloud_fgs_function.reaper[0].urn
  max_async_retry_attempts       = var.retries
  max_async_event_age_in_seconds = 43200

  # The dead letters: the message holds the whole event.
  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = huaweicloud_smn_topic.failed.topic_urn })
  }
}

resource "huaweicloud_lts_stream" "reaper" {
  count = local.large ? 1 : 0

  group_id    = huaweicloud_lts_group.log.id
  stream_name = "reaper"
}

resource "huaweicloud_identity_role" "reaper" {
  count = local.large ? 1 : 0

  name        = "${var.name}-reaper"
  description = "What the reaper of ${var.name} may do with backups"
  type        = "XA"
  policy = jsonencode({
    Version   = "1.1"
    Statement = [{ Effect = "Allow", Action = concat(local.list, local.delete, local.publish) }]
  })
}

resource "huaweicloud_identity_agency" "reaper" {
  count = local.large ? 1 : 0

  name                  = "${var.name}-reaper"
  description           = "What the reaper of ${var.name} may do with backups"
  delegated_domain_name = "op_svc_cff"

  dynamic "project_role" {
    for_each = toset(concat(keys(var.projects), [var.region]))
    content {
      project = project_role.value
      roles   = [huaweicloud_identity_role.reaper[0].name]
    }
  }
}

# In place of EG_TARGET_AGENCY, which the console makes and which may do more.
resource "huaweicloud_identity_role" "eventgrid" {
  count = local.large ? 1 : 0

  name        = "${var.name}-eventgrid"
  description = "Lets EventGrid call the reaper of ${var.name}"
  type        = "XA"
  policy = jsonencode({
    Version = "1.1"
    Statement = [{
      Effect   = "Allow"
      Action   = ["functiongraph:function:invokeAsync"]
      Resource = ["FunctionGraph:*:*:function:default/${var.name}-reaper"]
    }]
  })
}

resource "huaweicloud_identity_agency" "eventgrid" {
  count = local.large ? 1 : 0

  name                  = "${var.name}-eventgrid"
  description           = "Lets EventGrid call the reaper of ${var.name}"
  delegated_domain_name = "op_svc_EG" # EventGrid

  project_role {
    project = var.region
    roles   = [huaweicloud_identity_role.eventgrid[0].name]
  }
}
