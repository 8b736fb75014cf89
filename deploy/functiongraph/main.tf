locals {
  large = var.deployment == "large"

  # Both FunctionGraph and EventGrid are there, as the SDK's region files of 3.1.219 have it.
  eventgrid_regions = [
    "cn-north-4", "cn-north-9", "cn-north-11", "cn-east-2", "cn-east-3", "cn-south-1",
    "ap-southeast-3", "sa-brazil-1", "na-mexico-1", "eu-west-101",
  ]

  # In the image every path is absolute: FunctionGraph's working directory is always /.
  server = "/app/.venv/bin/functions-framework"

  # The same for both functions: what means nothing to one of them is ignored by it.
  environment = {
    PORT                         = "8000" # FunctionGraph calls this port and no other
    THREADS                      = "3"    # one event at a time (concurrency_num), and two for whatever else asks
    REAPER_PLATFORM              = "functiongraph"
    HW_REGION_NAME               = var.region
    REAPER_ENGINES               = join(",", sort(var.engines))
    REAPER_ALLOWED_PROJECT_IDS   = join(",", sort(values(var.projects)))
    REAPER_GUARDS                = "strict"
    REAPER_MIN_AGE_DAYS          = tostring(var.min_age_days)
    REAPER_KEEP_LAST             = tostring(var.keep_last)
    REAPER_PAUSED                = tostring(var.paused)
    REAPER_POLICY_FILE           = "/app/policy.toml"
    REAPER_PLANNER_MODE          = !var.delete_backups ? "report" : local.large ? "publish" : "sweep"
    REAPER_PLAN_DEADLINE_SECONDS = "300"
  }

  planner_environment = merge(local.environment, local.large ? {
    REAPER_EVENTGRID_CHANNEL_ID = one(huaweicloud_eg_custom_event_channel.events[*].id)
    REAPER_EVENTGRID_SOURCE     = local.requests
  } : {})
}

resource "huaweicloud_fgs_function" "planner" {
  name        = "${var.name}-planner"
  description = "Lists the manual backups and evaluates the retention policy."
  app         = "default"
  runtime     = "Custom Image"
  code_type   = "Custom-Image-Swr"
  handler     = "-"

  custom_image {
    url     = var.image
    command = local.server
    args    = "--source,/app/function/planner.py,--target,plan_retention"
  }

  agency                = huaweicloud_identity_agency.platform.name # pulls the image, reports failed runs
  app_agency            = huaweicloud_identity_agency.planner.name  # whose keys come with each request
  enable_auth_in_header = true                                      # without it no keys come
  user_data             = jsonencode(local.planner_environment)

  functiongraph_version = "v2"
  memory_size           = var.memory_mb
  timeout               = 360 # longer than REAPER_PLAN_DEADLINE_SECONDS, so that the function ends by itself
  concurrency_num       = 1
  max_instance_num      = "1" # one run at a time

  enable_lts_log  = true
  log_group_id    = huaweicloud_lts_group.log.id
  log_group_name  = huaweicloud_lts_group.log.group_name
  log_stream_id   = huaweicloud_lts_stream.planner.id
  log_stream_name = huaweicloud_lts_stream.planner.stream_name
}

resource "huaweicloud_fgs_function_trigger" "timer" {
  function_urn = huaweicloud_fgs_function.planner.urn
  type         = "TIMER"
  status       = "ACTIVE"
  event_data = jsonencode({
    name          = "${var.name}-timer"
    schedule_type = "Cron"
    schedule      = var.schedule
    user_event    = "retention"
  })
}

resource "huaweicloud_fgs_async_invoke_configuration" "planner" {
  function_urn                   = huaweicloud_fgs_function.planner.urn
  max_async_retry_attempts       = var.retries
  max_async_event_age_in_seconds = 3600 # an older tick is stale to the planner

  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = huaweicloud_smn_topic.failed.topic_urn })
  }
}

resource "huaweicloud_smn_topic" "failed" {
  name         = "${var.name}-failed"
  display_name = "backup-reaper: runs that failed for good"
}

resource "huaweicloud_smn_subscription" "failed" {
  topic_urn = huaweicloud_smn_topic.failed.topic_urn
  protocol  = "email"
  endpoint  = var.alert_email
}

resource "huaweicloud_lts_group" "log" {
  group_name  = var.name
  ttl_in_days = var.log_days
}

resource "huaweicloud_lts_stream" "planner" {
  group_id    = huaweicloud_lts_group.log.id
  stream_name = "planner"
}
