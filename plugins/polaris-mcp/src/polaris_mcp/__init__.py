"""Serves Polaris knowledge graphs to AI clients over the Model Context Protocol."""

__version__ = "0.1.0"
