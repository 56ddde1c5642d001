//! What operations tell, as lines.

use super::line::Line;
use crate::ops::{Event, Named};

/// The line about an event.
pub(super) fn line(event: &Event<'_>) -> Line {
    match *event {
        Event::Deploying(of) => named(Line::info("log.deploy-begin"), of),
        Event::Fetching { of, from, bytes } => {
            let line = named(Line::said("log.fetch-begin", &[("source", from.join(", "))]), of);
            line.with_bytes("size", bytes).with("source", from.join(","))
        }
        Event::Fetched { of, from, resumed, took } => {
            let bytes = from.iter().map(|given| given.bytes).sum();
            let names: Vec<_> = from.iter().map(|given| given.name.as_str()).collect();
            let line = Line::info("log.fetch-done").with_bytes("size", bytes).with_duration("duration", took);
            let line = named(line.with_speed("speed", bytes, took).with("source", names.join(",")), of);
            if resumed > 0 { line.with_bytes("resumed", resumed) } else { line }
        }
        Event::Unpacked { of, dir, files, bytes, took } => {
            let line = Line::said("log.unpack-done", &[("dir", dir.display().to_string())]);
            let line = named(line, of).with_number("files", files);
            line.with_bytes("size", bytes).with_duration("duration", took)
        }
        Event::Linked { component, to: Some(version) } => {
            let line = Line::said("log.linked", &[("version", version.to_string())]);
            line.with("component", component).with("version", version)
        }
        Event::Linked { component, to: None } => Line::info("log.unlinked").with("component", component),
        Event::Deployed { of, release, took } => match release {
            Some(release) => {
                let line = named(Line::info("log.deploy-done"), of).with_duration("duration", took);
                line.with_number("release", release)
            }
            None => named(Line::info("log.deploy-unchanged"), of).with_duration("duration", took),
        },
    }
}

fn named(line: Line, (component, version): Named<'_>) -> Line {
    line.with("component", component).with("version", version)
}
