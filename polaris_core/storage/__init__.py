"""The service that stands before every backend, and the backend that keeps nothing."""
