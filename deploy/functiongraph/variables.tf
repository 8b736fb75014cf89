variable "region" {
  description = "Where the functions run, such as cn-north-4. It is also where the backups are."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be the name of a region, such as cn-north-4."
  }
}

variable "deployment" {
  description = "small: one function on a timer lists, evaluates and deletes. large: that function only publishes an event for each expired backup, and a second function, which EventGrid calls, deletes."
  type        = string
  default     = "small"

  validation {
    condition     = contains(["small", "large"], var.deployment)
    error_message = "deployment must be small or large."
  }

  validation {
    condition     = var.deployment != "large" || contains(local.eventgrid_regions, var.region)
    error_message = "deployment must be small in this region: it has no EventGrid. These have: ${join(", ", local.eventgrid_regions)}."
  }
}

variable "name" {
  description = "The name of what is created, or how it begins. Change it to have a second deployment in one account."
  type        = string
  default     = "backup-reaper"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "name must be 1 to 40 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "image" {
  description = "The image in SWR with the policy in it, as deploy/functiongraph/Dockerfile makes it: swr.{region}.myhuaweicloud.com/{organization}/{name}:{tag}. Use a new tag for each change."
  type        = string

  validation {
    condition     = can(regex("^swr\\.[a-z0-9.-]+/[a-z0-9/._-]+:[A-Za-z0-9._-]+$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image must begin with swr. and end with a tag that is not latest: with an old tag FunctionGraph has no reason to fetch a new image."
  }
}

variable "projects" {
  description = "The projects whose backups may be deleted: name => id. The main project of a region has the region's name. The policy file must name no other project."
  type        = map(string)

  validation {
    condition     = length(var.projects) >= 1 && length(var.projects) <= 30 # a function's variables may take 2 KB in all
    error_message = "projects must name 1 to 30 projects."
  }

  validation {
    condition     = alltrue([for id in values(var.projects) : can(regex("^[A-Za-z0-9]{32}$", id))])
    error_message = "projects must give each project's id, 32 letters and digits."
  }
}

variable "engines" {
  description = "The database services whose backups may be deleted: taurusdb, rds, gaussdb, dds, geminidb. The permissions follow from it."
  type        = set(string)
  default     = ["taurusdb"]

  validation {
    condition     = length(var.engines) > 0 && length(setsubtract(var.engines, keys(local.actions))) == 0
    error_message = "engines must be one or more of ${join(", ", keys(local.actions))}."
  }
}

variable "delete_backups" {
  description = "false: the timer runs in mode report, which changes nothing, and no function has the permission to delete. true: expired backups are deleted."
  type        = bool
  default     = false
}

variable "paused" {
  description = "true stops everything: each run is answered with 503 before anything is called."
  type        = bool
  default     = false
}

variable "schedule" {
  description = "When the timer runs, as FunctionGraph writes cron: second minute hour day month weekday, or @every 12h; CRON_TZ=Europe/Berlin and a space may come first."
  type        = string
  default     = "0 0 2 * * *"

  validation {
    condition     = can(regex("^(CRON_TZ=[A-Za-z0-9_+/-]+ )?([0-9A-Z*?/,-]+( [0-9A-Z*?/,-]+){5}|@every [0-9]+h([0-9]+m)?)$", var.schedule))
    error_message = "schedule must be cron with 6 fields, the first for the seconds, such as 0 0 2 * * *, or @every 12h. (FunctionGraph also takes 5, but 0 2 * * * would run every hour.)"
  }
}

variable "min_age_days" {
  description = "No backup younger than this is deleted, whatever the policy says."
  type        = number
  default     = 1

  validation {
    condition     = var.min_age_days >= 1 && floor(var.min_age_days) == var.min_age_days
    error_message = "min_age_days must be a whole number from 1."
  }
}

variable "keep_last" {
  description = "The newest completed manual backups of an instance, so many, are never deleted, whatever the policy says."
  type        = number
  default     = 1

  validation {
    condition     = var.keep_last >= 1 && floor(var.keep_last) == var.keep_last
    error_message = "keep_last must be a whole number from 1."
  }
}

variable "retries" {
  description = "How often FunctionGraph repeats a run that failed. What still fails then is reported to alert_email; the next timer run finds its backups again."
  type        = number
  default     = 3

  validation {
    condition     = contains([0, 1, 2, 3], var.retries)
    error_message = "retries must be 0, 1, 2 or 3: FunctionGraph allows no more."
  }
}

variable "alert_email" {
  description = "Who hears of a run that failed for good. The address gets a link that must be confirmed."
  type        = string

  validation {
    condition     = can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.alert_email))
    error_message = "alert_email must be an e-mail address."
  }
}

variable "memory_mb" {
  description = "Memory of one instance. The functions need less than 128 MB; a larger instance also has more CPU and starts faster."
  type        = number
  default     = 256

  validation {
    condition     = contains([128, 256, 512, 768, 1024], var.memory_mb)
    error_message = "memory_mb must be 128, 256, 512, 768 or 1024."
  }
}

variable "log_days" {
  description = "How long the log is kept."
  type        = number
  default     = 30

  validation {
    condition     = var.log_days >= 1 && var.log_days <= 365 && floor(var.log_days) == var.log_days
    error_message = "log_days must be a whole number from 1 to 365."
  }
}
