//! Memory does not grow with the files: a file of many pieces takes no more than the pieces that are in flight.

use std::fs::File;

use wait4::Wait4 as _;

use super::env::Env;

/// What the package format promises, for two threads.
const MOST: u64 = 256 << 20;

/// The most bytes of memory that a run of the program held; it must succeed.
fn peak(env: &Env, args: &[&str]) -> u64 {
    let mut command = env.command(args);
    let child = command.stdout(std::process::Stdio::null()).spawn();
    let ended = child.and_then(|mut child| child.wait4()).expect("it runs");
    assert!(ended.status.success(), "{args:?}: {}", ended.status);
    ended.rusage.maxrss
}

#[test]
fn one_big_file_in_every_compression() {
    let env = Env::quick();
    let config = env.read("project/.deploy-tool.yaml");
    env.write("project/.deploy-tool.yaml", format!("{config}pack: {{threads: 2}}\n"));
    // Zeros are cut into the largest pieces there are; so many fill everything that goes round.
    let big = File::create(env.path("project/models/bert/zeros")).expect("made");
    big.set_len(72 << 20).expect("a length");
    for compression in ["gzip", "zstd", "lz4", "xz", "bzip2", "none"] {
        let model = format!("model@1.{compression}");
        let version = &model["model@".len()..];
        let peaks = [
            peak(&env, &["pack", "--type", "model", "--version", version, "--compression", compression]),
            peak(&env, &["publish", &model]),
            peak(&env, &["deploy", &model]),
        ];
        assert!(peaks.iter().all(|peak| *peak <= MOST), "{compression}: {:?} MiB", peaks.map(|peak| peak >> 20));
    }
}
