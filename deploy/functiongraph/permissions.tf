# Two agencies for each function: what the platform needs (SWR Administrator, no less works) never reaches the function.
# Sources: FunctionGraph User Guide, "Configuring Agency Permissions"; IAM API Reference, "Agency Management".

locals {
  # Actions of role policies (Version 1.1), by engine. TaurusDB's and GaussDB's have the same names.
  actions = {
    taurusdb = { list = ["gaussdb:backup:list"], delete = ["gaussdb:backup:delete"] }
    rds      = { list = ["rds:backup:list", "rds:instance:list"], delete = ["rds:backup:delete"] }
    gaussdb  = { list = ["gaussdb:backup:list"], delete = ["gaussdb:backup:delete"] }
    dds      = { list = ["dds:backup:list"], delete = ["dds:backup:delete"] }
    geminidb = { list = ["nosql:backup:list"], delete = ["nosql:backup:delete"] }
  }
  list    = distinct(flatten([for engine in sort(var.engines) : local.actions[engine].list]))
  delete  = var.delete_backups ? distinct(flatten([for engine in sort(var.engines) : local.actions[engine].delete])) : []
  publish = local.large ? ["eg:channels:putEvents"] : []
}

# Lists, and in the small deployment deletes; in the large one it cannot delete.
resource "huaweicloud_identity_role" "planner" {
  name        = "${var.name}-planner"
  description = "What the planner of ${var.name} may do with backups"
  type        = "XA" # in a project, not in the whole account
  policy = jsonencode({
    Version   = "1.1"
    Statement = [{ Effect = "Allow", Action = concat(local.list, local.large ? local.publish : local.delete) }]
  })
}

resource "huaweicloud_identity_agency" "planner" {
  name                  = "${var.name}-planner"
  description           = "What the planner of ${var.name} may do with backups"
  delegated_domain_name = "op_svc_cff" # FunctionGraph

  dynamic "project_role" {
    for_each = toset(concat(keys(var.projects), local.large ? [var.region] : []))
    content {
      project = project_role.value
      roles   = [huaweicloud_identity_role.planner.name]
    }
  }
}

resource "huaweicloud_identity_role" "platform" {
  name        = "${var.name}-platform"
  description = "Lets FunctionGraph report the failed runs of ${var.name}"
  type        = "XA"
  policy = jsonencode({
    Version   = "1.1"
    Statement = [{ Effect = "Allow", Action = ["smn:topic:publish"] }]
  })
}

resource "huaweicloud_identity_agency" "platform" {
  name                  = "${var.name}-platform"
  description           = "What FunctionGraph itself needs to run ${var.name}"
  delegated_domain_name = "op_svc_cff"

  project_role {
    project = var.region
    roles   = ["SWR Administrator", huaweicloud_identity_role.platform.name]
  }
}
