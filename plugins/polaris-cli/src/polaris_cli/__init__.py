"""Adds the commands people use at a terminal to polaris-kg."""
