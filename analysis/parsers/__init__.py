"""Readers of what the electronic-structure codes print and write, one module a code."""
