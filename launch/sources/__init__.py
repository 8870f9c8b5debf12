"""Sources of materials: databases, tables, files and prototypes, made into structures that a campaign can compute.

`hightc.launch.sources.table` is what a campaign file says, `hightc.launch.sources.resolve` what comes of it; nothing
is imported here, so that a help text waits for neither pymatgen nor a network.
"""
