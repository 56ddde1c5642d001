//! The library in the test's own process, on the place an [`Env`] is: for what is asked thousands of times, since to start
//! a debug build would take most of the time.

use std::path::Path;

use deploy_tool::config;
use deploy_tool::model::Timestamp;
use deploy_tool::ops::{Caller, Overrides, Site};
use deploy_tool::target::Ambient;

use super::env::Env;

/// What the program would make of the project's configuration.
pub fn site(env: &Env) -> Site {
    let file = env.path("project").join(config::FILE_NAME);
    let text = env.read("project/.deploy-tool.yaml");
    let (config, _) = config::parse(&text, &file, &|_| None, Some(Path::new("/nowhere"))).expect("a configuration");
    let caller = Caller {
        by: "mei@host".to_owned(),
        name: "Mei".to_owned(),
        email: "mei@example.org".to_owned(),
        process: "a test".to_owned(),
        now: Timestamp::from_unix(1_700_000_000).expect("a time"),
        began: std::time::Instant::now(),
    };
    Site::new(config, Overrides::default(), Ambient::default(), caller)
}
