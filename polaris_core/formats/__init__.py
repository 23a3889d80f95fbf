"""The file formats that the core has built in."""
