"""File formats for Polaris: GraphML, node-link JSON, the JSONL of the MCP memory server, and Debian Packages."""
