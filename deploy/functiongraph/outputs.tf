output "mode" {
  description = "What the timer's runs do: report, sweep or publish."
  value       = local.environment.REAPER_PLANNER_MODE
}

output "planner_urn" {
  description = "The function that the timer runs."
  value       = huaweicloud_fgs_function.planner.urn
}

output "reaper_urn" {
  description = "The function that EventGrid calls; null in the small deployment."
  value       = one(huaweicloud_fgs_function.reaper[*].urn)
}

output "channel_id" {
  description = "The EventGrid channel with the requests and the results; null in the small deployment."
  value       = one(huaweicloud_eg_custom_event_channel.events[*].id)
}

output "log_group" {
  description = "Where both functions log, in LTS."
  value       = huaweicloud_lts_group.log.group_name
}
