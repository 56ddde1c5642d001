//! One binary for every test that runs the program itself; one file per promise or command.

// The bans are for the library: a test looks at the disk and the environment as a user does.
#![allow(clippy::disallowed_methods)]

mod access;
mod attacks;
mod audit;
mod bad_disk;
mod bad_input;
mod contract;
mod contract_on_servers;
mod crash;
mod crash_publish;
mod deploy_url;
mod docs;
mod doctor;
mod env;
mod environments;
mod fault_server;
mod faults;
mod faults_host;
mod faults_targets;
mod fetch;
mod filesystems;
mod flushes;
mod foreign;
mod full_disk;
mod health;
mod http_target;
mod in_process;
mod json;
mod kills;
mod links;
mod locks;
mod main_job;
mod matrix;
mod memory;
mod object_servers;
mod object_stores;
mod oci_target;
mod odd_tree;
mod old_or_new;
mod on_servers;
mod pack;
mod power;
mod power_cut;
mod processes;
#[path = "../shared/programs.rs"]
mod programs;
mod publish;
mod publish_git;
mod publish_many;
mod races;
mod random;
#[path = "../shared/raw_tar.rs"]
mod raw_tar;
mod reader;
mod readers_see;
mod readme;
mod record_import;
mod record_url;
mod records_cli;
mod relay;
mod remote;
mod remote_servers;
mod scene;
mod secrets;
mod servers;
mod sharing;
mod stepped;
mod store_cli;
mod tree;
mod undeploy;
mod verify;
mod versions;
mod watch;
