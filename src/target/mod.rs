//! (target)
