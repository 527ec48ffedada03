# The tagging standard: the keys. Values are checked by: tracked-inference tags check.
plugin "aws" {
  enabled = true
  version = "0.31.0"
  source  = "github.com/terraform-linters/tflint-ruleset-aws"
}

rule "aws_resource_missing_tags" {
  enabled = true
  tags = [
    "team",
    "service",
    "environment",
    "component",
    "cost_center",
    "created_by",
  ]
}
