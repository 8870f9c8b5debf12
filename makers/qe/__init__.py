"""Quantum ESPRESSO: inputs, pseudopotentials, protocols and error handlers."""
