"""The farm as data, and what changes it: pure functions that collector, server and dashboard share."""
