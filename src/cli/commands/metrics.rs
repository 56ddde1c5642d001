//! `metrics`, and the file of metrics that every changing command leaves.

use std::path::Path;

use serde_json::json;

use crate::cli::explain::Explain as _;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::words::Phrase;
use crate::fsx;
use crate::ops::Site;
use crate::ops::metrics::{self, Family, Kind};

pub(super) fn run(site: &Site, output: &Output) -> Result<(), Failure> {
    let families = metrics::metrics(site)?;
    output.report(&json!({"text": text(&families)}), |_| text(&families));
    Ok(())
}

/// Replaces the configured file, if any. What goes wrong is a warning: the command itself is done.
pub(super) fn publish(output: &Output) {
    let Some(site) = output.measured() else { return };
    let Some(path) = &site.config.metrics.textfile else { return };
    let failure = match metrics::metrics(&site) {
        Ok(families) => replace(path, &text(&families)).err().map(|error| error.explain().text()),
        Err(error) => Some(error.explain().text()),
    };
    if let Some(reason) = failure {
        output.warn(&Phrase::failed("metrics.not-written").path("path", path).with("reason", reason));
    }
}

/// Readable by the exporter, who is another user, whatever the umask is.
fn replace(path: &Path, text: &str) -> Result<(), fsx::Error> {
    fsx::write_atomic_mode(path, text.as_bytes(), 0o644)
}

/// The text form. Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
fn text(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let name = format!("deploy_tool_{}", family.name);
        let kind = if family.kind == Kind::Counter { "counter" } else { "gauge" };
        out.push_str(&format!("# HELP {name} {}\n# TYPE {name} {kind}\n", family.help));
        for sample in &family.samples {
            let labels = sample.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
            let labels = labels.collect::<Vec<_>>().join(",");
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            out.push_str(&format!("{name}{labels} {}\n", sample.value));
        }
    }
    out
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
