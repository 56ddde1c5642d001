//! No secret is ever shown or kept: not in output, errors, JSON, records, history, the store or the root, whether a target
//! works or refuses, and whatever a server answers.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use super::env::{Env, Ran};

/// What stands in the environment of every run; the values are the secrets.
const SECRETS: &[(&str, &str)] = &[
    ("S3_SECRET", "s3-secret-Zq81XkPw"),
    ("S3_TOKEN", "s3-session-Hq72LmVd"),
    ("BOS_SECRET", "bos-secret-Tn35RbYc"),
    ("AZURE_KEY", "YXp1cmUtc2VjcmV0LUpmNjRXaA=="),
    ("AZURE_SAS", "sv=2024-11-04&sig=azure-signature-Kd93BnQs"),
    ("OCI_PASSWORD", "oci-password-Gx50PvMt"),
    ("WEB_TOKEN", "web-token-Cw28FjNz"),
    ("WEB_PASSWORD", "web-password-Lr17DkHb"),
    ("AWS_SECRET_ACCESS_KEY", "aws-secret-Ue66YsQa"),
    ("AWS_SESSION_TOKEN", "aws-session-Bv49OiXe"),
    ("BCE_SECRET_ACCESS_KEY", "bce-secret-Mp83ThWu"),
    ("AZURE_STORAGE_ACCOUNT_KEY", "YXp1cmUtYW1iaWVudC1ScTIyWg=="),
];

/// In URLs that are given as arguments.
const SIGNATURE: &str = "url-signature-Vy94EcKf";
const URL_PASSWORD: &str = "url-password-Do31SgJl";

/// Configuration of one target of each kind, all at `server`, which refuses everything, and a directory that works.
fn config(server: &str) -> String {
    format!(
        "version: 1
components: {{model: {{source: ./models}}}}
records: {{repository: ../records}}
publish:
  default: [bucket, chain, bos, native, blob, registry, near]
  targets:
    bucket: {{type: s3, endpoint: \"http://{server}\", bucket: b, access_key: AKPUBLIC, secret_key: \"${{S3_SECRET}}\", session_token: \"${{S3_TOKEN}}\"}}
    chain: {{type: s3, endpoint: \"http://{server}\", bucket: c, prefix: p}}
    bos: {{type: bos, endpoint: \"http://{server}\", bucket: b, access_key: AKPUBLIC, secret_key: \"${{BOS_SECRET}}\"}}
    native: {{type: bos, endpoint: \"http://{server}\", bucket: n, auth: bce, access_key: AKPUBLIC, secret_key: \"${{BOS_SECRET}}\"}}
    blob: {{type: azure, account: acc, container: c, endpoint: \"http://{server}\", access_key: \"${{AZURE_KEY}}\"}}
    shared: {{type: azure, account: acc, container: s, endpoint: \"http://{server}\", sas_token: \"${{AZURE_SAS}}\"}}
    registry: {{type: oci, registry: \"http://{server}\", repository: team, username: mei, password: \"${{OCI_PASSWORD}}\"}}
    web: {{type: http, url: \"http://{server}/files/\", token: \"${{WEB_TOKEN}}\"}}
    login: {{type: http, url: \"http://{server}/more/\", username: mei, password: \"${{WEB_PASSWORD}}\"}}
    near: {{type: filesystem, path: ../targets/near}}
deploy: {{root: ../root}}
store: {{path: ../store}}
"
    )
}

/// A server that refuses everything and says all that it was told in its answer. It ends with the process.
fn gossip() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => heard.extend(&buffer[..count]),
            _ => return,
        }
    }
    let heard = String::from_utf8_lossy(&heard).into_owned();
    let first = heard.lines().next().unwrap_or_default().replace(' ', "_");
    let body = format!("<Error><Code>AccessDenied</Code><Message>you said {heard}</Message></Error>");
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\nX-You-Said: {first}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn secrets() -> impl Iterator<Item = &'static str> {
    // Of the signature in a longer text the signature itself.
    SECRETS.iter().map(|(_, value)| value.rsplit("sig=").next().unwrap_or(value)).chain([SIGNATURE, URL_PASSWORD])
}

fn assert_none(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for secret in secrets() {
        assert!(!text.contains(secret), "{what} holds {secret}: {text}");
    }
}

/// Every file and name below a directory.
fn look_through(dir: &Path) {
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("an entry").path();
        assert_none("a name", path.as_os_str().as_encoded_bytes());
        if path.is_symlink() {
            continue;
        }
        match path.is_dir() {
            true => look_through(&path),
            false => assert_none(&path.display().to_string(), &fs::read(&path).expect("read")),
        }
    }
}

fn run(env: &Env, args: &[&str]) -> Ran {
    let mut command = env.command(args);
    // What it logs is looked through with everything else.
    command.arg("--log-file").arg(env.path("log"));
    command.envs(SECRETS.iter().copied()).env("AWS_ACCESS_KEY_ID", "AKAMBIENT").env("BCE_ACCESS_KEY_ID", "AKAMBIENT");
    let ran = Ran::of(command.output().expect("it runs"));
    assert_none(&format!("stdout of {args:?}"), ran.stdout.as_bytes());
    assert_none(&format!("stderr of {args:?}"), ran.stderr.as_bytes());
    ran
}

#[test]
fn no_secret_is_shown_or_kept() {
    let env = Env::with_model();
    let server = gossip();
    env.write("project/.deploy-tool.yaml", config(&server));
    run(&env, &["pack", "--type", "model", "--version", "1.0.0"]);
    let ran = run(&env, &["publish", "model@1.0.0"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for name in ["bucket", "chain", "bos", "native", "blob", "registry"] {
        assert!(ran.stderr.contains(&format!("target `{name}` does not hold the package")), "{name}: {ran:?}");
    }
    // A record may name any place, and none gets what belongs to another.
    let record = "records/records/packages/model/1.0.0/record.json";
    let mut text: serde_json::Value = serde_json::from_str(&env.read(record)).expect("JSON");
    let places = text["locations"].as_array_mut().expect("a list");
    for place in [
        serde_json::json!({"name": "web", "type": "http", "url": format!("http://{server}/files/model.tar.gz")}),
        serde_json::json!({"name": "login", "type": "http", "url": format!("http://{server}/more/model.tar.gz")}),
        serde_json::json!({"name": "bucket", "type": "s3", "endpoint": format!("http://{server}"), "bucket": "b", "object_key": "k/model.tar.gz"}),
        serde_json::json!({"name": "native", "type": "bos", "endpoint": format!("http://{server}"), "bucket": "n", "object_key": "k/model.tar.gz"}),
        serde_json::json!({"name": "shared", "type": "azure", "account": "acc", "endpoint": format!("http://{server}"), "container": "s", "object_key": "k/model.tar.gz"}),
        serde_json::json!({"name": "registry", "type": "oci", "registry": format!("http://{server}"), "repository": "team/model", "tag": "1.0.0", "digest": format!("sha256:{}", "0".repeat(64))}),
    ] {
        places.insert(0, place);
    }
    env.write(record, serde_json::to_string_pretty(&text).expect("JSON"));
    env.git("records", &["commit", "-qam", "more places"]);
    for args in [
        &["publish", "model@1.0.0", "--to", "bucket,shared"][..],
        &["publish", "model@1.0.0", "--to", "registry"],
        &["publish", "model@1.0.0", "--to", "web"],
        &["record", "list"],
        &["record", "show", "model"],
        &["record", "import", "--from", "bucket"],
        &["record", "import", "--from", "native"],
        &["record", "import", "--from", "shared"],
        &["record", "import", "--from", "registry"],
        &["record", "import", "--from", "web"],
        &["deploy", "model@1.0.0", "--dry-run", "--store", "../empty"],
        &["deploy", "model@1.0.0", "--store", "../empty"],
        &["status"],
        &["history"],
        &["store", "list"],
        &["version", "list"],
    ] {
        run(&env, args);
        run(&env, &[args, &["--json"]].concat());
    }
    assert_eq!(env.link("components/model/current"), "1.0.0", "the directory that works was used");
    look_through(&env.path(""));
}

#[test]
fn an_error_in_the_configuration_does_not_show_a_secret() {
    let env = Env::with_model();
    for line in [
        "    s: {type: s3, bucket: b, secret_key: [\"${S3_SECRET}\"]}",
        "    s: {type: s3, bucket: [b], access_key: a, secret_key: \"${S3_SECRET}\"}",
        "    s: {type: s3, bucket: b, secret_kee: \"${S3_SECRET}\"}",
        "    s: {type: http, url: \"https://mei:${WEB_PASSWORD}@example.org/\"}",
        "    s: {type: http, url: \"https://example.org/?sig=${S3_SECRET}\"}",
        "    s: {type: s3, bucket: b, endpoint: \"${S3_SECRET}\"}",
    ] {
        env.write("project/.deploy-tool.yaml", format!("publish:\n  targets:\n{line}\n"));
        let ran = run(&env, &["publish", "model@1.0.0", "--json"]);
        assert_eq!(ran.status, Some(2), "{line}: {ran:?}");
    }
}
