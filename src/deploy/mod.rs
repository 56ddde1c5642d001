//! (deploy)
