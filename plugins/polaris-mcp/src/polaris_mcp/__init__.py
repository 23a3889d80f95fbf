"""Serves Polaris knowledge graphs to AI clients over the Model Context Protocol."""
