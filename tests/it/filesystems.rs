//! Sharing on real file systems, each in a mount namespace of its own: with reflinks and without, in memory, behind an
//! overlay, and where others own files.
//!
//! Mounting needs root, and each file system its programs; where they are missing these tests say so and pass, in CI they
//! fail.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::env::{CONFIG, Env, PROGRAM, Ran};
use super::programs;

/// What the tests need.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Mounting without a device, which a user namespace allows.
    Mounts,
    /// Root: images, and files of other users.
    Root,
}

/// The beginning of a command that runs a script in a mount namespace; `None` where the system allows none. In CI it must.
fn namespace(env: &Env, needs: Needs) -> Option<Command> {
    let mut args = vec!["--mount"];
    let mut probe = "mount -t tmpfs tmpfs /mnt";
    match (rustix::process::geteuid().is_root(), needs) {
        (true, Needs::Mounts) => {}
        (true, Needs::Root) => probe = "mount -t tmpfs tmpfs /mnt && losetup --find",
        (false, Needs::Mounts) => args = vec!["--user", "--map-root-user", "--mount"],
        (false, Needs::Root) => probe = "false",
    }
    let allowed = Command::new("unshare").args(&args).args(["sh", "-euc", probe]).output();
    let allowed = allowed.is_ok_and(|output| output.status.success());
    assert!(allowed || std::env::var_os("CI").is_none(), "CI must be able to mount: be root, with loop devices");
    let mut command = env.hermetic("unshare");
    command.args(args).env("MNT", env.path("mnt")).env("OUT", env.path("")).env("TOOL", PROGRAM);
    allowed.then_some(command)
}

/// Runs a script so, which must succeed.
fn run(mut namespace: Command, script: &str) {
    let ran = Ran::of(namespace.args(["sh", "-euc", script]).output().expect("it runs"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

/// Two versions that differ in one of five files, published; the default configuration.
fn published() -> Env {
    let env = Env::with_model();
    env.write("project/models/empty", "");
    env.write("project/models/large.bin", (0..3_000_000u32).map(|n| (n >> 7) as u8).collect::<Vec<_>>());
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    fs::create_dir(env.path("mnt")).expect("made");
    env
}

/// Deploys both versions to a root on what `mount` mounts at `$MNT`, and looks at all of it; how the files of the second
/// version came to be. `None` where nothing can be mounted. What `more` does comes last.
fn deployed_on(env: &Env, needs: Needs, mount: &str, more: &str) -> Option<Value> {
    let namespace = namespace(env, needs)?;
    let script = format!(
        r#"
        {mount}
        APP="$MNT/app"
        "$TOOL" deploy model@1.0.0 --root "$APP" --quiet >"$OUT/first"
        "$TOOL" deploy model@1.0.1 --root "$APP" --json >"$OUT/second"
        "$TOOL" status --deep --root "$APP" >"$OUT/status"
        "$TOOL" links verify --root "$APP" >"$OUT/links"
        "$TOOL" version switch model 1.0.0 --root "$APP" >"$OUT/switch"
        "$TOOL" status --verify --root "$APP" >"$OUT/status"
        cmp "$APP/links/model/large.bin" models/large.bin
        cmp "$APP/components/model/1.0.1/bert/config.json" models/bert/config.json
        {more}
        "#
    );
    run(namespace, &script);
    let report: Value = serde_json::from_str(&env.read("second")).expect("JSON");
    Some(report["components"][0]["ways"].clone())
}

/// How many files came which way: reflinked, hard-linked, copied, unpacked.
fn counts(ways: &Value) -> [u64; 4] {
    ["reflinked", "hardlinked", "copied", "unpacked"].map(|way| ways[way]["files"].as_u64().expect("a number"))
}

/// Mounts a new file system in an image of so many megabytes.
fn image(env: &Env, megabytes: u64, make: &str) -> String {
    let image = env.path("image");
    fs::File::create(&image).and_then(|file| file.set_len(megabytes << 20)).expect("made");
    format!("{make} '{0}' >\"$OUT/mkfs\" 2>&1; mount -o loop '{0}' \"$MNT\"", image.display())
}

/// The blocks of the large file are there once. (The last block of the small ones may lie in the inode.)
const BLOCKS_ARE_SHARED: &str = r#"
    sync -f "$APP"
    used=$(df --output=used -B1 "$MNT" | tail -1)
    cp -a "$APP/components/model/1.0.1" "$APP/again"
    cp --reflink=never "$APP/components/model/1.0.1/large.bin" "$APP/full"
    sync -f "$APP"
    filled=$(df --output=used -B1 "$MNT" | tail -1)
    [ $((filled - used)) -ge 2900000 ]
    [ "$(stat -c %i "$APP/components/model/1.0.0/large.bin")" != "$(stat -c %i "$APP/components/model/1.0.1/large.bin")" ]
    filefrag -v "$APP/components/model/1.0.1/large.bin" >"$OUT/extents" 2>&1
    grep -q shared "$OUT/extents"
"#;

#[test]
fn reflinks_on_xfs() {
    if !programs::has("mkfs.xfs", "xfsprogs") {
        return;
    }
    let env = published();
    let Some(ways) = deployed_on(&env, Needs::Root, &image(&env, 320, "mkfs.xfs -q -m reflink=1"), BLOCKS_ARE_SHARED)
    else {
        return;
    };
    assert_eq!(counts(&ways), [3, 0, 1, 1], "the empty file is made");
    assert_eq!(ways["reflinked"]["bytes"], json!(3_300_006));
}

#[test]
fn hard_links_on_xfs_without_reflinks() {
    if !programs::has("mkfs.xfs", "xfsprogs") {
        return;
    }
    let env = published();
    let Some(ways) = deployed_on(&env, Needs::Root, &image(&env, 320, "mkfs.xfs -q -m reflink=0"), "") else { return };
    assert_eq!(counts(&ways), [0, 3, 1, 1]);
}

#[test]
fn reflinks_on_btrfs() {
    if !programs::has("mkfs.btrfs", "btrfs-progs") {
        return;
    }
    let env = published();
    let Some(ways) = deployed_on(&env, Needs::Root, &image(&env, 120, "mkfs.btrfs -q"), BLOCKS_ARE_SHARED) else {
        return;
    };
    assert_eq!(counts(&ways), [3, 0, 1, 1]);
}

#[test]
fn reflinks_of_a_mutable_component_and_as_asked() {
    if !programs::has("mkfs.xfs", "xfsprogs") {
        return;
    }
    for (from, to, expected) in [
        ("{source: ./models}", "{source: ./models, mutable: true}", [3, 0, 1, 1]),
        ("{root: ../root}", "{root: ../root, link: hardlink}", [0, 3, 1, 1]),
        ("{root: ../root}", "{root: ../root, link: copy}", [0, 0, 4, 1]),
        ("{root: ../root}", "{root: ../root, verify: always}", [3, 0, 1, 1]),
    ] {
        let env = Env::with_model();
        env.write("project/.deploy-tool.yaml", CONFIG.replace(from, to));
        env.write("project/models/empty", "");
        env.write("project/models/large.bin", (0..3_000_000u32).map(|n| (n >> 7) as u8).collect::<Vec<_>>());
        env.publish("1.0.0");
        env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
        env.publish("1.0.1");
        fs::create_dir(env.path("mnt")).expect("made");
        let Some(ways) = deployed_on(&env, Needs::Root, &image(&env, 320, "mkfs.xfs -q -m reflink=1"), "") else {
            return;
        };
        assert_eq!(counts(&ways), expected, "{to}");
    }
}

#[test]
fn hard_links_in_memory() {
    let env = published();
    let Some(ways) = deployed_on(&env, Needs::Mounts, "mount -t tmpfs tmpfs \"$MNT\"", "") else { return };
    assert_eq!(counts(&ways), [0, 3, 1, 1]);
}

#[test]
fn a_root_behind_an_overlay() {
    // Everything made through the overlay lies in its upper layer, here of a file system in memory.
    let mount = r#"
        mount -t tmpfs tmpfs "$MNT"
        mkdir "$MNT/lower" "$MNT/upper" "$MNT/work" "$MNT/merged"
        mount -t overlay overlay -o "lowerdir=$MNT/lower,upperdir=$MNT/upper,workdir=$MNT/work" "$MNT/merged"
        MNT="$MNT/merged"
    "#;
    let env = published();
    let Some(ways) = deployed_on(&env, Needs::Mounts, mount, "") else { return };
    assert_eq!(counts(&ways), [0, 3, 1, 1]);
}

#[test]
fn a_version_that_lies_in_a_lower_layer() {
    // As in a container's image: the first version is deployed before the overlay is mounted over it. A file of a lower
    // layer is copied up before it gets another name; whichever way it takes, the content is what it must be.
    let mount = r#"
        mount -t tmpfs tmpfs "$MNT"
        mkdir "$MNT/lower" "$MNT/upper" "$MNT/work" "$MNT/merged"
        "$TOOL" deploy model@1.0.0 --root "$MNT/lower/app" >"$OUT/before"
        mount -t overlay overlay -o "lowerdir=$MNT/lower,upperdir=$MNT/upper,workdir=$MNT/work" "$MNT/merged"
        MNT="$MNT/merged"
    "#;
    let env = published();
    let Some(ways) = deployed_on(&env, Needs::Mounts, mount, "") else { return };
    let [reflinked, linked, copied, unpacked] = counts(&ways);
    assert_eq!((reflinked + linked + copied, unpacked), (4, 1), "{ways}");
}

#[test]
fn a_version_directory_that_is_a_mount_of_its_own() {
    // A link from another mount is refused, though the file system is the same.
    let env = published();
    let mount = r#"
        mount -t tmpfs tmpfs "$MNT"
        "$TOOL" deploy model@1.0.0 --root "$MNT/app" >"$OUT/before"
        mount --bind "$MNT/app/components/model/1.0.0" "$MNT/app/components/model/1.0.0"
    "#;
    let Some(ways) = deployed_on(&env, Needs::Mounts, mount, "umount \"$APP/components/model/1.0.0\"") else { return };
    assert_eq!(counts(&ways), [0, 0, 4, 1]);
}

#[test]
fn files_of_another_user() {
    // Our own files, as far as the receipts tell, but somebody else owns them now: no other name is made of them, whatever
    // the kernel's `protected_hardlinks` says, and what can be read is copied.
    let env = published();
    let mount = r#"
        mount -t tmpfs tmpfs "$MNT"
        "$TOOL" deploy model@1.0.0 --root "$MNT/app" >"$OUT/before"
        chown 65534 "$MNT/app/components/model/1.0.0/large.bin"
    "#;
    let more = r#"
        [ "$(stat -c %u "$APP/components/model/1.0.1/large.bin")" = 0 ]
        [ "$(stat -c %h "$APP/components/model/1.0.0/large.bin")" = 1 ]
    "#;
    let Some(ways) = deployed_on(&env, Needs::Root, mount, more) else { return };
    assert_eq!(counts(&ways), [0, 2, 2, 1]);
}

#[test]
fn an_ordinary_user_and_files_that_only_root_may_read() {
    // The kernel refuses to link what one may not write (`protected_hardlinks`) and to read what is closed: the first is
    // copied, the second taken from the package.
    if !programs::has("setpriv", "util-linux") {
        return;
    }
    let env = published();
    let Some(namespace) = namespace(&env, Needs::Root) else { return };
    let script = r#"
        mount -t tmpfs -o mode=777 tmpfs "$MNT"
        cp "$TOOL" "$MNT/deploy-tool"
        chown -R 65534:65534 "$OUT/project" "$OUT/store" "$OUT/home" "$OUT/targets" "$OUT/records"
        as() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$MNT/deploy-tool" "$@"; }
        as deploy model@1.0.0 --root "$MNT/app" >"$OUT/before"
        chown 0:0 "$MNT/app/components/model/1.0.0/large.bin" "$MNT/app/components/model/1.0.0/bert/pytorch_model.bin"
        chmod 0400 "$MNT/app/components/model/1.0.0/bert/pytorch_model.bin"
        cat /proc/sys/fs/protected_hardlinks >"$OUT/protected"
        as deploy model@1.0.1 --root "$MNT/app" --json >"$OUT/second"
        cmp "$MNT/app/links/model/large.bin" models/large.bin
        [ "$(stat -c %u "$MNT/app/links/model/large.bin")" = 65534 ]
        as status --deep --root "$MNT/app" >"$OUT/status"
    "#;
    run(namespace, script);
    assert_eq!(env.read("protected"), "1\n", "the kernel protects hard links, as it does by default");
    let report: Value = serde_json::from_str(&env.read("second")).expect("JSON");
    assert_eq!(counts(&report["components"][0]["ways"]), [0, 1, 2, 2]);
}

#[test]
fn a_parent_that_is_mounted_read_only() {
    let env = published();
    let Some(namespace) = namespace(&env, Needs::Mounts) else { return };
    let script = r#"
        mount -t tmpfs tmpfs "$MNT"
        mkdir "$MNT/app"
        mount -t tmpfs tmpfs "$MNT/app"
        mount -o remount,ro "$MNT"
        "$TOOL" deploy model@1.0.0 --root "$MNT/app" >"$OUT/first"
        "$TOOL" deploy model@1.0.1 --root "$MNT/app" --json >"$OUT/second"
        "$TOOL" status --deep --root "$MNT/app" >"$OUT/status"
        mount -o remount,ro "$MNT/app"
        "$TOOL" status --verify --root "$MNT/app" >"$OUT/status"
        status=0
        "$TOOL" version switch model 1.0.0 --root "$MNT/app" 2>"$OUT/refused" || status=$?
        [ "$status" = 1 ]
        status=0
        "$TOOL" deploy model@1.0.0 --root "$MNT/other" 2>"$OUT/refused" || status=$?
        [ "$status" = 1 ]
    "#;
    run(namespace, script);
    let report: Value = serde_json::from_str(&env.read("second")).expect("JSON");
    assert_eq!(counts(&report["components"][0]["ways"]), [0, 3, 1, 1]);
}
