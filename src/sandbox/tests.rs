//! Stories told to the box.
