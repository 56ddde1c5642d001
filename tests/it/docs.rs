//! What `docs/` shows as configuration is configuration.

use std::fs;
use std::path::Path;

use deploy_tool::config::{self, Gcs, TargetPlace};

/// The fenced blocks of a kind in a Markdown text, each with the number of its first line.
fn blocks(text: &str, kind: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if found == kind {
                blocks.push((number + 2, block.join("\n")));
            }
        }
    }
    blocks
}

#[test]
fn every_configuration_in_the_documents_is_read_without_a_word() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut kinds = Vec::new();
    for entry in fs::read_dir(&docs).expect("listed") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("read");
        for (line, block) in blocks(&text, "yaml") {
            // The variables are those of another machine: each has some value here, and keys are in base64.
            let given = |_: &str| Some("Z2l2ZW4=".to_owned());
            let (config, warnings) = config::parse(&block, &docs.join(config::FILE_NAME), &given, Some(&docs))
                .unwrap_or_else(|e| panic!("{}, the block at line {line}: {e}", path.display()));
            assert!(warnings.is_empty(), "{}, the block at line {line}: {warnings:?}", path.display());
            // On a host where none of the variables is set, too.
            let none = |_: &str| None;
            config::parse(&block, &docs.join(config::FILE_NAME), &none, Some(&docs))
                .unwrap_or_else(|e| panic!("{}, the block at line {line}: {e}", path.display()));
            let ambient = deploy_tool::target::Ambient::default();
            for target in &config.publish.targets {
                let place = format!("{:?}", target.place);
                kinds.push(place.split(['(', ' ']).next().unwrap_or_default().to_owned());
                let opened = deploy_tool::target::open(target, &ambient, None);
                match &target.place {
                    // The key is read, and there is none here.
                    TargetPlace::Gcs(Gcs { service_account: Some(file), .. }) => {
                        let refusal = opened.expect_err("no key").to_string();
                        assert!(refusal.contains(&*file.to_string_lossy()), "{refusal}");
                    }
                    _ => assert!(opened.is_ok(), "{}, the block at line {line}: {opened:?}", path.display()),
                }
            }
        }
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["Azure", "Bos", "Filesystem", "Gcs", "Http", "Oci", "S3"], "every kind of target is shown");
}
