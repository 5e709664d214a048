//! Public JSON shapes shared by server, command line and tests.
