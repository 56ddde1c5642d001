//! Memory does not grow with the files: a file of many pieces takes no more than the pieces that are in flight.

use std::fs::File;

use super::env::Env;

/// What the package format promises, for two threads.
const MOST: u64 = 256 << 20;

/// The most bytes of memory that a run of the program held; it must succeed. Asked of the kernel while it runs: what
/// `wait4` tells afterwards has the memory of this process in it, from before the program took its place.
fn peak(env: &Env, args: &[&str]) -> u64 {
    let mut child = env.command(args).stdout(std::process::Stdio::null()).spawn().expect("it runs");
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status_file).unwrap_or_default();
        // Until its own image is there, it is a copy of this process.
        if text.starts_with("Name:\tdeploy-tool\n") {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0) << 10);
        }
        if let Some(status) = child.try_wait().expect("it can be asked") {
            assert!(status.success(), "{args:?}: {status}");
            assert!(peak > 0, "{args:?} was never seen");
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[test]
fn one_big_file_in_every_compression() {
    let env = Env::with_model();
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
