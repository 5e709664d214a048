//! GitHub in a box: an in-memory world with an HTTP face, for tests and the demo. Imports nothing of ours.
