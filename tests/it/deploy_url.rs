//! `deploy --url`: a host without a login fetches the package by a URL it was given, checked like any other.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use insta::assert_snapshot;

use super::env::Env;

const SIGNATURE: &str = "X-Amz-Signature=5ae1bad5bb";

/// A server of one file, for whoever has the signature; counts how often it gave it.
fn serve(body: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let given = Arc::new(AtomicUsize::new(0));
    let counter = given.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut heard = Vec::new();
            let mut buffer = [0; 4096];
            while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(count) if count > 0 => heard.extend(&buffer[..count]),
                    _ => break,
                }
            }
            let heard = String::from_utf8_lossy(&heard).into_owned();
            let head = |status: &str, length: usize| {
                format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
            };
            let request = heard.lines().next().unwrap_or_default();
            if !request.contains(SIGNATURE) {
                let _ = stream.write_all(head("403 Forbidden", 0).as_bytes());
                continue;
            }
            let _ = stream.write_all(head("200 OK", body.len()).as_bytes());
            if request.starts_with("GET") {
                counter.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(&body);
            }
        }
    });
    (format!("http://{address}/b/model-1.0.0.tar.gz"), given)
}

/// A published version whose record and manifest are here and whose package is nowhere but behind the URL.
fn away(env: &Env) -> Vec<u8> {
    env.publish("1.0.0");
    let package = fs::read(env.path("project/dist/model-1.0.0.tar.gz")).expect("packed");
    for dir in ["targets", "store", "project/dist"] {
        fs::remove_dir_all(env.path(dir)).expect("removed");
    }
    package
}

/// Whether a text stands anywhere in the files below a directory.
fn is_kept(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).expect("listed").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() && !path.is_symlink() {
            true => is_kept(&path, text),
            false => fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text)),
        }
    })
}

#[test]
fn the_package_comes_from_the_url_and_the_url_is_kept_nowhere() {
    let env = Env::with_model();
    let (url, given) = serve(away(&env));
    let signed = format!("{url}?{SIGNATURE}");
    let ran = env.run(&["deploy", "model@1.0.0", "--url", &signed]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(given.load(Ordering::Relaxed), 1);
    assert_eq!(env.read("root/links/model/bert/config.json"), "{\"layers\": 12}\n");
    let again = env.run(&["history", "--json"]);
    for said in [ran.stdout, ran.stderr, again.stdout] {
        assert!(!said.contains(SIGNATURE), "{said}");
    }
    assert!(!is_kept(&env.path(""), SIGNATURE));
}

#[test]
fn a_record_file_and_a_url_need_no_git() {
    let env = Env::with_model();
    let (url, _) = serve(away(&env));
    let record = "../records/records/packages/model/1.0.0/record.json";
    env.ok(&["deploy", "--record", record, "--url", &format!("{url}?{SIGNATURE}"), "--records", "../nowhere"]);
    assert_eq!(env.link("components/model/current"), "1.0.0");
}

#[test]
fn an_expired_url_and_wrong_bytes_change_nothing_and_are_named_without_the_signature() {
    let env = Env::with_model();
    let mut package = away(&env);
    let (url, _) = serve(package.clone());
    let said = env.fails(1, &["deploy", "model@1.0.0", "--url", &format!("{url}?X-Amz-Signature=expired77")]);
    assert!(said.contains(&url) && !said.contains("expired77"), "{said}");
    let middle = package.len() / 2;
    package[middle] ^= 1;
    let (url, _) = serve(package);
    let said = env.fails(4, &["deploy", "model@1.0.0", "--url", &format!("{url}?{SIGNATURE}")]);
    assert!(said.contains(&url) && !said.contains(SIGNATURE), "{said}");
    assert!(!env.path("root/components/model/current").exists());
}

#[test]
fn one_url_is_for_one_version() {
    let env = Env::with_model();
    env.publish("1.0.0");
    assert_snapshot!(env.refused(2, &["deploy", "model@1.0.0", "config@1", "--url", "http://127.0.0.1:1/x"]), @r"
    error: `--url` leads to one package, so one version is needed with it

    hint: name the version: `deploy-tool deploy model@1.0.1 --url URL`
    ");
    let said = env.refused(2, &["deploy", "model@1.0.0", "--store", "../empty", "--url", "ftp://x/y?sig=hidden88"]);
    assert!(!said.contains("hidden88"), "{said}");
}
