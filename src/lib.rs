//! deploy-tool: packages are content in a store, records in git say which content is which version, and a
//! host turns records into version directories and atomic links.
//!
//! The program is [`cli`], a thin layer over [`ops`]: one function for each thing a user does, which takes values and returns a
//! typed report. Whoever only wants to know what is deployed needs less:
//!
//! ```no_run
//! use std::path::Path;
//!
//! let root = deploy_tool::deploy::View::open(Path::new("/opt/deployments"))?;
//! for (component, version) in root.state()?.set() {
//!     println!("{component}@{version}");
//! }
//! # Ok::<(), deploy_tool::deploy::Error>(())
//! ```
//!
//! Values are made by parsing, so one that exists is valid:
//!
//! ```
//! use deploy_tool::model::{Reference, Version};
//!
//! let version: Version = "1.0.1".parse()?;
//! assert!("../1.0.1".parse::<Version>().is_err());
//! assert_eq!("model@^1.0".parse::<Reference>()?.to_string(), "model@^1.0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/` has programs to begin from.
//!
//! # The rule of layers
//!
//! A room imports only rooms of lower layers; rooms of one layer never import each other, and what one needs
//! of another is passed as a value or a small trait and joined in [`ops`]. `tests/layers.rs` reads the imports
//! and holds this.
//!
//! | layer | rooms | what lives there |
//! |---|---|---|
//! | 0 | [`model`], [`config`] | values and the configuration's schema: no files, no network, no clock |
//! | 1 | [`fsx`], [`codec`], [`process`], [`net`] | the only user of `std::fs`; one file per compression; running the user's programs; HTTP |
//! | 2 | [`archive`], [`delta`], [`store`], [`target`], [`records`], [`trust`], [`forge`] | trees and packages, from one version to the next, the cache, places, the git repository, signatures, requests |
//! | 3 | [`transfer`], [`deploy`] | moving bytes; the root on this host |
//! | 4 | [`ops`] | one file per thing a user does; returns a typed report, never prints |
//! | 5 | [`cli`] | arguments, words, exit status: the only room that knows the terminal and the environment |

pub mod archive;
pub mod cli;
pub mod codec;
pub mod config;
pub mod delta;
pub mod deploy;
pub mod forge;
pub mod fsx;
pub mod model;
pub mod net;
pub mod ops;
pub mod process;
pub mod records;
pub mod store;
pub mod target;
pub mod transfer;
pub mod trust;
