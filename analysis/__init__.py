"""Documents, parsers of code output, physics verdicts and plots: everything a reader of the store needs."""
