variable "tags" {
  description = "Who owns what this configuration creates, and who pays for it."
  type = object({
    team        = string
    service     = string
    environment = string
    component   = string
    cost_center = string
    created_by  = string
    feature     = optional(string)
  })

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", var.tags.team))
    error_message = "Tag team must be lower-case letters, digits, - and _, at most 63."
  }

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", var.tags.service))
    error_message = "Tag service must be lower-case letters, digits, - and _, at most 63."
  }

  validation {
    condition     = can(regex("^(production|staging|development)$", var.tags.environment))
    error_message = "Tag environment must be one of production, staging, development."
  }

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", var.tags.component))
    error_message = "Tag component must be lower-case letters, digits, - and _, at most 63."
  }

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", var.tags.cost_center))
    error_message = "Tag cost_center must be lower-case letters, digits, - and _, at most 63."
  }

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?|[a-z0-9][a-z0-9._+-]*@[a-z0-9]([a-z0-9.-]*[a-z0-9])?[.][a-z]{2,})$", var.tags.created_by))
    error_message = "Tag created_by must be lower-case letters, digits, - and _, at most 63, or an e-mail address."
  }

  validation {
    condition     = var.tags.feature == null || can(regex("^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", var.tags.feature))
    error_message = "Tag feature must be lower-case letters, digits, - and _, at most 63."
  }
}

provider "aws" {
  default_tags {
    tags = { for key, value in var.tags : key => value if value != null }
  }
}
