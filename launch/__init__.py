"""Campaigns: the database, FireWorks, workers, reports and the command line."""
