//! The most memory that packing and deploying one big file takes.

use super::inputs;
use super::process::run;
use super::scene::Scene;

/// In MiB: what the package format promises.
const LIMIT: f64 = 256.0;

const CODECS: [&[&str]; 6] = [
    &["--compression", "gzip"],
    &["--compression", "zstd"],
    &["--compression", "lz4"],
    &["--compression", "xz", "--level", "6"],
    &["--compression", "bzip2"],
    &["--compression", "none"],
];

/// Packs and deploys with every codec and prints the peaks.
pub fn measure(scene: &Scene, only: &str) -> Result<(), String> {
    println!("peak memory in MiB, to be at most {LIMIT}");
    println!("{:<16} {:<8} {:>9} {:>9} {:>10} {:>9}", "file", "codec", "pack", "publish", "deploy", "");
    for (name, bytes) in [("1 GiB dense", 1u64 << 30), ("8 GiB sparse", 8 << 30)] {
        let wanted = |codec: &str| format!("{name} {codec}").contains(only);
        if !CODECS.iter().any(|codec| wanted(codec[1])) {
            continue;
        }
        let make = if name.contains("sparse") { inputs::sparse_file } else { inputs::dense_file };
        scene.empty("input").and_then(|()| make(&scene.path("input/weights.bin"), bytes)).map_err(|e| e.to_string())?;
        for codec in CODECS.iter().filter(|codec| wanted(codec[1])) {
            let version = format!("{}.{}", bytes >> 30, codec[1]);
            let reference = format!("work@{version}");
            let pack = ["pack", "--type", "work", "--version", &version, "--output", "../out"];
            let pack = run(&mut scene.ours(&[&pack, *codec].concat()))?.peak;
            scene.remove("out").map_err(|e| e.to_string())?;
            let publish = run(&mut scene.ours(&["publish", &reference]))?.peak;
            scene.remove("store").map_err(|e| e.to_string())?;
            let deploy = run(&mut scene.ours(&["deploy", &reference]))?.peak;
            scene.check_tree("root/links/work")?;
            for used in ["store", "target", "root"] {
                scene.remove(used).map_err(|e| e.to_string())?;
            }
            let [pack, publish, deploy] = [pack, publish, deploy].map(|peak| peak as f64 / f64::from(1 << 20));
            let verdict = if [pack, publish, deploy].iter().all(|peak| *peak <= LIMIT) { "" } else { "too much" };
            println!("{name:<16} {:<8} {pack:>9.0} {publish:>9.0} {deploy:>10.0} {verdict:>9}", codec[1]);
        }
    }
    Ok(())
}
