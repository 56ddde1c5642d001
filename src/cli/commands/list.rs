//! `record list`

use std::time::Duration;

use crate::cli::args::{RecordList, Since};
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::cli::words::say;
use crate::model::{ByteSize, Timestamp};
use crate::ops::Site;
use crate::ops::record::{self, Filter, Listed};

/// The units of an age, each with how many of the one before it takes to be written in it.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

pub(super) fn run(site: &Site, args: &RecordList, output: &Output) -> Result<(), Failure> {
    let filter = Filter {
        component: args.component.clone(),
        pattern: args.pattern.clone(),
        target: args.target.clone(),
        since: args.since.map(|since| time(since, site.caller.now)),
        yanked: args.yanked,
    };
    let mut listed = record::list(site, &filter, args.sort, args.at.as_deref())?;
    if args.reverse {
        listed.reverse();
    }
    output.report(&listed, |listed| text(listed));
    Ok(())
}

fn time(since: Since, now: Timestamp) -> Timestamp {
    match since {
        Since::Time(time) => time,
        Since::Ago(span) => {
            let seconds = i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_unix(now.as_unix().saturating_sub(seconds)).unwrap_or(now)
        }
    }
}

fn text(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return say("record.none", &[]);
    }
    let rows = listed.iter().map(|record| {
        let states = [
            (record.current, "version.current"),
            (record.installed && !record.current, "version.installed"),
            (record.yanked, "version.yanked"),
        ];
        let states = states.into_iter().filter(|(is, _)| *is).map(|(_, key)| say(key, &[]));
        [
            record.component.to_string(),
            record.version.to_string(),
            states.collect::<Vec<_>>().join(", "),
            ByteSize(record.size).to_string(),
            record.package.short(),
            record.published_at.to_string(),
            age(Duration::from_secs(record.age)),
            record.locations.join(", "),
        ]
    });
    let header = [
        "column.component",
        "column.version",
        "column.state",
        "column.size",
        "column.package",
        "column.published",
        "column.age",
        "column.locations",
    ];
    table(header, rows)
}

/// A span in the largest unit that it fills twice, rounded down: `90s`, `47h`, `3d`.
fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    let fits = UNITS.iter().rev().find(|(_, unit)| seconds >= unit * 2);
    let (name, unit) = fits.unwrap_or(&UNITS[0]);
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let ages = [0, 119, 120, 7199, 7200, 172_799, 172_800, 8_640_000].map(|s| age(Duration::from_secs(s)));
        assert_eq!(ages, ["0s", "119s", "2m", "119m", "2h", "47h", "2d", "100d"]);
    }
}
