//! (ops)
