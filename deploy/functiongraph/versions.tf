terraform {
  required_version = ">= 1.9" # the first whose `validation` may look at other variables; OpenTofu 1.9 does, too

  required_providers {
    huaweicloud = {
      source  = "huaweicloud/huaweicloud"
      version = "1.97.1"
    }
  }
}

# The account comes from the environment, so that no key stands in a file: HW_ACCESS_KEY and HW_SECRET_KEY.
provider "huaweicloud" {
  region = var.region
}
