"""Campaigns as a static site that opens offline: a table of all materials, and a page for each."""
