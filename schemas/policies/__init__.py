"""Policies that come with the project, as YAML."""
