"""The documents hightc stores, one module each."""
