//! Signatures, with the real `ssh-keygen` on the other side: each accepts what the other made, and what is not signed as the
//! host asks is not deployed.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::env::{Env, Ran};
use super::programs::has;
use super::sample::Sample;

const VERSION: &str = "records/records/packages/model/1.0.0";

/// Makes a key pair `keys/<name>`.
pub fn keygen(env: &Env, name: &str, kind: &str) {
    fs::create_dir_all(env.path("keys")).expect("made");
    let path = env.path("keys").join(name);
    let mut command = env.hermetic("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", "", "-C", name, "-f"]).arg(&path);
    if kind == "ecdsa" {
        command.args(["-b", "256"]);
    }
    run(&mut command);
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a list of allowed signers: each principal with options and the name of the key.
pub fn signers(env: &Env, file: &str, lines: &[(&str, &str, &str)]) {
    let line =
        |(who, options, key): &(&str, &str, &str)| format!("{who} {options} {}", env.read(&format!("keys/{key}.pub")));
    env.write(&format!("project/{file}"), lines.iter().map(line).collect::<String>());
}

/// Makes the host ask for what `trust` says besides the list of signers.
pub fn trust(env: &Env, more: &str) {
    let line = format!("deploy: {{root: ../root, trust: {{allowed_signers: signers{more}}}}}");
    env.configure("deploy:", &line);
}

/// A published model that `mei` has signed, on a host that asks for it; `li` and `wu` have keys as well.
fn signed() -> Env {
    let env = Env::with_model();
    for (name, kind) in [("mei", "ed25519"), ("li", "ecdsa"), ("wu", "ed25519"), ("mei2", "ed25519")] {
        keygen(&env, name, kind);
    }
    people(&env, "");
    trust(&env, "");
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    env.ok(&["publish", "model@1.0.0", "--sign=../keys/mei"]);
    env
}

/// The three people, with options for the first.
fn people(env: &Env, options: &str) {
    let lines = [("mei@x", options, "mei"), ("li@x", "", "li"), ("wu@x", "", "wu"), ("mei@x", "", "mei2")];
    signers(env, "signers", &lines);
}

/// The file with a signature of a version's manifest; there has to be one.
fn signature(env: &Env) -> String {
    let dir = format!("{VERSION}/manifest.json.sigs");
    let mut names = fs::read_dir(env.path(&dir)).expect("signatures").map(|e| e.expect("an entry").file_name());
    let name = names.next().expect("one").into_string().expect("text");
    assert!(names.next().is_none());
    format!("{dir}/{name}")
}

/// `ssh-keygen -Y verify` of a file.
fn openssh_verifies(env: &Env, who: &str, namespace: &str, file: &str, signature: &str) -> bool {
    let mut command = env.hermetic("ssh-keygen");
    command.args(["-Y", "verify", "-f", "signers", "-I", who, "-n", namespace, "-s"]).arg(env.path(signature));
    command.stdin(File::open(env.path(file)).expect("the file")).output().expect("it runs").status.success()
}

/// `ssh-keygen -Y sign` of a committed file, put beside it and committed.
fn openssh_signs(env: &Env, key: &str, namespace: &str, options: &[&str], file: &str) {
    let mut command = env.hermetic("ssh-keygen");
    command.args(["-Y", "sign", "-n", namespace]).args(options).arg("-f").arg(env.path("keys").join(key));
    run(command.arg(env.path(file)).stdin(Stdio::null()));
    let made = fs::read(env.path(format!("{file}.sig"))).expect("a signature");
    fs::remove_file(env.path(format!("{file}.sig"))).expect("removed");
    env.write(&format!("{file}.sigs/{key}.sig"), made);
    env.git("records", &["add", "."]);
    env.git("records", &["commit", "-qm", "signed by hand"]);
}

fn unsign(env: &Env) {
    let _ = fs::remove_dir_all(env.path(format!("{VERSION}/manifest.json.sigs")));
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "unsigned", "--allow-empty"]);
}

/// `deploy`, which has to be refused before anything is fetched or written.
fn refused(env: &Env) -> String {
    env.refused(4, &["deploy", "model@1.0.0", "--store", "../fresh"])
}

#[test]
fn openssh_accepts_ours() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = signed();
    let manifest = format!("{VERSION}/manifest.json");
    assert!(openssh_verifies(&env, "mei@x", "deploy-tool-manifest", &manifest, &signature(&env)));
    assert!(!openssh_verifies(&env, "li@x", "deploy-tool-manifest", &manifest, &signature(&env)));
    assert!(!openssh_verifies(&env, "mei@x", "deploy-tool-environment-prod", &manifest, &signature(&env)));
    assert_eq!(env.git("records", &["status", "--porcelain"]), "");
    // An ECDSA key, through the public half of a key that only an agent has, and an environment.
    let socket = env.path("agent");
    let mut agent =
        env.hermetic("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().expect("agent");
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    run(env.hermetic("ssh-add").arg("-q").arg(env.path("keys/li")).env("SSH_AUTH_SOCK", &socket));
    fs::rename(env.path("keys/li"), env.path("keys/hidden")).expect("hidden");
    let args = ["env", "set", "model@1.0.0", "--env", "prod", "--sign=../keys/li.pub"];
    let ran = Ran::of(env.command(&args).env("SSH_AUTH_SOCK", &socket).output().expect("it runs"));
    agent.kill().and_then(|()| agent.wait()).expect("ended");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let prod = "records/records/environments/prod.json";
    let names = fs::read_dir(env.path(format!("{prod}.sigs"))).expect("signatures");
    let name = names.map(|e| e.expect("an entry").path()).next().expect("one");
    let name = name.strip_prefix(env.path("")).expect("below").display().to_string();
    assert!(openssh_verifies(&env, "li@x", "deploy-tool-environment-prod", prod, &name));
    env.ok(&["deploy", "--env", "prod"]);
}

#[test]
fn ours_accepts_what_openssh_signs() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = signed();
    env.ok(&["deploy", "model@1.0.0"]);
    let manifest = format!("{VERSION}/manifest.json");
    for (key, options) in [("mei", &[][..]), ("li", &[]), ("wu", &["-O", "hashalg=sha256"])] {
        unsign(&env);
        assert!(refused(&env).contains("refused model@1.0.0: it is not signed"));
        openssh_signs(&env, key, "deploy-tool-manifest", options, &manifest);
        env.ok(&["deploy", "model@1.0.0"]);
        env.ok(&["record", "verify", "model@1.0.0"]);
    }
    // Keys that are not checked here do not count, and it is said why.
    keygen(&env, "old", "rsa");
    signers(&env, "signers", &[("old@x", "", "old"), ("mei@x", "", "mei")]);
    unsign(&env);
    openssh_signs(&env, "old", "deploy-tool-manifest", &[], &manifest);
    assert!(refused(&env).contains("keys are not checked here"), "{}", refused(&env));
}

#[test]
fn what_is_not_signed_as_the_host_asks_is_refused_before_anything_is_fetched() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = signed();
    let manifest = format!("{VERSION}/manifest.json");
    let says = |what: &str| {
        let said = refused(&env);
        assert!(said.contains(what), "{what}: {said}");
    };
    for (options, what) in [
        ("valid-before=\"20200101Z\"", "the key was valid until 2020-01-01T00:00:00Z"),
        ("valid-after=\"20990101Z\"", "the key is valid from 2099-01-01T00:00:00Z"),
        ("namespaces=\"git\"", "the key is for other files"),
    ] {
        people(&env, options);
        says(what);
    }
    signers(&env, "signers", &[("li@x", "", "li")]);
    says("nobody's key");
    people(&env, "");
    env.write("project/revoked", env.read("keys/mei.pub"));
    trust(&env, ", revoked: revoked");
    says("the key is revoked");
    trust(&env, "");
    env.ok(&["deploy", "model@1.0.0", "--dry-run"]);
    // Lists that are not understood are no lists.
    signers(&env, "signers", &[("*@x", "cert-authority", "mei")]);
    assert_snapshot!(env.refused(2, &["deploy", "model@1.0.0"]), @r"
    error: cannot use the allowed signers in `<dir>/project/signers`: line 1 is for certificates (`cert-authority`), which are not checked

    hint: name each key on a line of its own
    ");
    people(&env, "");
    // Made for another kind of file, or over another file.
    unsign(&env);
    openssh_signs(&env, "mei", "deploy-tool-yank", &[], &manifest);
    says("it was made for `deploy-tool-yank`");
    unsign(&env);
    openssh_signs(&env, "mei", "deploy-tool-manifest", &[], &format!("{VERSION}/record.json"));
    fs::rename(env.path(format!("{VERSION}/record.json.sigs")), env.path(format!("{VERSION}/manifest.json.sigs")))
        .expect("moved");
    env.git("records", &["add", "-A"]);
    env.git("records", &["commit", "-qm", "moved"]);
    says("it is not over this content");
    // By a record file, by an environment, by a repair, and by ship.
    unsign(&env);
    let record = env.path(format!("{VERSION}/record.json")).display().to_string();
    for args in
        [&["deploy", "--record", &record][..], &["deploy", "--env", "prod"], &["deploy", "--env", "prod", "--resume"]]
    {
        if args.contains(&"prod") && !env.path("records/records/environments/prod.json").exists() {
            env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
        }
        assert!(env.refused(4, args).contains("it is not signed"), "{args:?}");
    }
    env.configure("deploy:", "deploy: {root: ../root}");
    env.ok(&["deploy", "model@1.0.0"]);
    let broken = env.path("root/components/model/1.0.0/tokenizer/vocab.txt");
    fs::remove_file(&broken)
        .or_else(|_| {
            use std::os::unix::fs::PermissionsExt as _;
            let dir = broken.parent().expect("above");
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).and_then(|()| fs::remove_file(&broken))
        })
        .expect("broken");
    trust(&env, "");
    assert!(env.fails(4, &["deploy", "--repair"]).contains("it is not signed"));
    env.write("project/configs/app.conf", "a");
    assert!(env.fails(4, &["ship"]).contains("it is not signed"));
}

#[test]
fn two_of_three_people_and_nobody_counts_twice() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = signed();
    trust(&env, ", require: 2");
    assert!(refused(&env).contains("signed by 1 of 2 people: signed by mei@x"), "{}", refused(&env));
    // The same person with another key.
    env.ok(&["record", "sign", "model@1.0.0", "--sign", "../keys/mei2"]);
    assert!(refused(&env).contains("signed by 1 of 2 people"), "{}", refused(&env));
    assert_eq!(env.run(&["record", "verify", "model@1.0.0"]).status, Some(4));
    let before = env.git("records", &["rev-parse", "HEAD"]);
    let said = env.ok(&["record", "sign", "model@1.0.0", "--sign", "../keys/li"]);
    assert!(said.starts_with("signed `packages/model/1.0.0/manifest.json` with SHA256:"), "{said}");
    // One commit, one file, and the manifest as it was.
    let files = env.git("records", &["diff", "--name-status", before.trim(), "HEAD"]);
    assert!(files.starts_with("A\trecords/packages/model/1.0.0/manifest.json.sigs/") && files.lines().count() == 1);
    env.ok(&["deploy", "model@1.0.0"]);
    // Once more, with a key whose signatures differ each time: nothing.
    assert!(env.ok(&["record", "sign", "model", "--sign", "../keys/li"]).starts_with("nothing to do"));
    let report = env.json(&["record", "verify", "--all"]);
    let file = &report["files"][0];
    assert_eq!((&file["people"], &file["need"], &file["trusted"]), (&json!(2), &json!(2), &json!(true)));
    let who: Vec<&Value> = file["signatures"].as_array().expect("a list").iter().map(|s| &s["principals"]).collect();
    assert_eq!(who.iter().filter(|who| ***who == json!("mei@x")).count(), 2);
    // Another place is added to the version, and its signatures stand.
    fs::remove_dir_all(env.path("targets/far")).expect("removed");
    env.ok(&["publish", "model@1.0.0", "--to", "far"]);
    env.ok(&["record", "verify", "model@1.0.0"]);
    assert_eq!(env.refused(2, &["record", "sign", "model"]).lines().next(), Some("error: no key to sign with"));
}

#[test]
fn the_key_of_the_configuration_signs_without_being_named() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = signed();
    trust(&env, ", environments: true");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    assert!(env.refused(4, &["deploy", "--env", "prod"]).contains("environments/prod.json: it is not signed"));
    env.configure("records:", "records: {repository: ../records, sign: ../keys/wu}");
    env.ok(&["record", "sign", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    env.ok(&["pack", "--type", "model", "--version", "1.0.1"]);
    assert!(env.ok(&["publish", "model@1.0.1"]).contains("signed by SHA256:"));
    env.ok(&["env", "set", "model@1.0.1", "--env", "prod"]);
    env.ok(&["deploy", "--env", "prod"]);
    // A signature of one environment is none of another, though the bytes are the same.
    env.git("records", &["mv", "records/environments/prod.json", "records/environments/test.json"]);
    env.git("records", &["mv", "records/environments/prod.json.sigs", "records/environments/test.json.sigs"]);
    env.git("records", &["commit", "-qm", "moved"]);
    let said = env.refused(4, &["deploy", "--env", "test"]);
    assert!(said.contains("it was made for `deploy-tool-environment-prod`"), "{said}");
    env.git("records", &["revert", "--no-edit", "HEAD"]);
    // A change by hand leaves the signature of the former bytes.
    let prod = env.read("records/records/environments/prod.json").replace("1.0.1", "1.0.0");
    env.write("records/records/environments/prod.json", prod.replace("\"serial\": 2", "\"serial\": 3"));
    env.git("records", &["commit", "-qam", "by hand", "--author", "wu <wu@x>"]);
    assert!(env.refused(4, &["deploy", "--env", "prod"]).contains("it is not over this content"));
}

/// Deploys in a root and a store of their own; nothing may be unpacked.
fn deploy_apart(env: &Env, n: usize, record: &str, what: &str) {
    let (root, store) = (format!("../apart/{n}/root"), format!("../apart/{n}/store"));
    let ran = env.run(&["deploy", "--record", record, "--root", &root, "--store", &store]);
    assert_eq!(ran.status, Some(4), "{what}: {ran:?}");
    let version = env.path(format!("apart/{n}/root/components/model/1.0.0"));
    assert!(!version.exists(), "{what}: {}", version.display());
    let staged = fs::read_dir(env.path(format!("apart/{n}/root/.deploy-tool/staging"))).map(Iterator::count);
    assert_eq!(staged.unwrap_or(0), 0, "{what}");
    let _ = fs::remove_dir_all(env.path(format!("apart/{n}")));
}

#[test]
fn every_flipped_byte_of_manifest_index_and_package_is_refused_before_anything_is_unpacked() {
    if !has("ssh-keygen", "openssh-client") {
        return;
    }
    let env = Env::with_model();
    keygen(&env, "mei", "ed25519");
    signers(&env, "signers", &[("mei@x", "", "mei")]);
    trust(&env, "");
    fs::remove_dir_all(env.path("project/models")).expect("removed");
    env.write("project/models/a", "a");
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    env.ok(&["publish", "model@1.0.0", "--to", "near", "--sign=../keys/mei"]);
    let record = env.path(format!("{VERSION}/record.json"));
    let shown = record.display().to_string();
    env.ok(&["deploy", "--record", &shown, "--root", "../apart/good/root", "--store", "../apart/good/store"]);
    let published = env.path("targets/near/model/1.0.0");
    let mut files: Vec<_> = fs::read_dir(&published).expect("listed").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    files.retain(|file| !file.to_string_lossy().ends_with("manifest.json"));
    let mut count = 0;
    for (number, file) in files.iter().enumerate() {
        let good = fs::read(file).expect("read");
        assert!(good.len() < 2000, "{}", file.display());
        for at in Sample::of(&format!("bytes of file {number}"), good.len()).points().map(|point| point - 1) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::remove_file(file).expect("removed");
            fs::write(file, bad).expect("written");
            deploy_apart(&env, at, &shown, &format!("{} at {at}", file.display()));
        }
        count += good.len();
        fs::remove_file(file).expect("removed");
        fs::write(file, good).expect("written");
    }
    // Of the manifest the record pins the digest, and whoever changes one changes the other.
    let manifest = env.path(format!("{VERSION}/manifest.json"));
    let (good, good_record) = (fs::read(&manifest).expect("read"), env.read(&format!("{VERSION}/record.json")));
    let pinned = |bytes: &[u8]| deploy_tool::model::Sha256::of(bytes).to_string();
    for at in Sample::of("bytes of the manifest", good.len()).points().map(|point| point - 1) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&manifest, &bad).expect("written");
        fs::write(&record, good_record.replace(&pinned(&good), &pinned(&bad))).expect("written");
        deploy_apart(&env, at, &shown, &format!("the manifest at {at}"));
    }
    count += good.len();
    fs::write(&manifest, &good).expect("written");
    fs::write(&record, good_record).expect("written");
    env.ok(&["deploy", "--record", &shown, "--root", "../apart/again/root", "--store", "../apart/again/store"]);
    assert!(count > 1000, "only {count} bytes");
}
