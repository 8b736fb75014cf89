"""Deletes one expired manual backup on Huawei Cloud for each CloudEvent, and answers with what became of it."""
