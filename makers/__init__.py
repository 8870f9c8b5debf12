"""One jobflow Maker per calculation: write the inputs, run under custodian, read the outputs, judge."""
