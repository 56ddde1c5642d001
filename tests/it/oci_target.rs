//! OCI registries as targets: Debian's `docker-registry` holds what is put there and other tools can read it; and a login
//! goes to the registry it is for.

use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deploy_tool::config::{self, Login, Secret, TargetPlace};
use deploy_tool::fsx;
use deploy_tool::model::{ComponentType, OciPlace, Place, Sha256, Version};
use deploy_tool::target::{
    self, Ambient, Content, Disk, Error, Fault, Parcel, Placed, Target, Unfinished, Upload, Wanted,
};

use super::contract::{self, Notes};
use super::fault_server::{Server, Way};
use super::programs::has;

/// Debian's registry, with its blobs in a directory of its own.
struct Registry {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Registry {
    fn start() -> Option<Self> {
        if !has("docker-registry", "docker-registry") {
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("bound").port();
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\n",
            dir.path().join("blobs").display()
        );
        fs::write(dir.path().join("config.yml"), config).expect("written");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(dir.path().join("config.yml")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let started = Self { child, port, dir };
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(started)
    }

    fn host(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn target(&self) -> Arc<dyn Target> {
        target(&self.host(), None, &Ambient::default())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn target(registry: &str, login: Option<Login>, ambient: &Ambient) -> Arc<dyn Target> {
    let (registry, repository) = (registry.to_owned(), "demo/sentiment".to_owned());
    let place = TargetPlace::Oci(config::Oci { registry, repository, login });
    let target = config::Target { name: "registry".to_owned(), place, backup: false };
    target::open(&target, ambient, None).expect("a target")
}

/// A file that can only be read within a range.
struct Within(Disk, Range<u64>);

impl Content for Within {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> fsx::Result<()> {
        if self.1.start <= offset && offset + out.len() as u64 <= self.1.end {
            return self.0.read_at(offset, out);
        }
        Err(fsx::Error::new(fsx::Action::Read, self.path(), std::io::Error::other("out of reach")))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The files of one version, on disk.
struct Set {
    dir: tempfile::TempDir,
    component: ComponentType,
    version: Version,
    package: Vec<u8>,
}

const MANIFEST: &[u8] = br#"{"not": "a manifest of ours"}"#;

impl Set {
    fn new(version: &str, package: Vec<u8>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("package"), &package).expect("written");
        fs::write(dir.path().join("manifest"), MANIFEST).expect("written");
        let component = "Model".parse().expect("a type");
        Self { dir, component, version: version.parse().expect("a version"), package }
    }

    fn put(&self, target: &dyn Target) -> target::Result<Placed> {
        self.put_within(target, 0..u64::MAX, None)
    }

    /// Puts it, and its package can only be read within `readable`.
    fn put_within(
        &self,
        target: &dyn Target,
        readable: Range<u64>,
        unfinished: Option<&dyn Unfinished>,
    ) -> target::Result<Placed> {
        let disk = |name: &str| Disk::open(&self.dir.path().join(name)).expect("there");
        let (package, manifest) = (Within(disk("package"), readable), disk("manifest"));
        fn upload<'a>(file: &'a str, content: &'a dyn Content, bytes: &[u8]) -> Upload<'a> {
            Upload { file, content, sha256: Sha256::of(bytes), size: bytes.len() as u64 }
        }
        let beside = [upload("manifest.json", &manifest, MANIFEST)];
        let package = upload("model.tar.gz", &package, &self.package);
        let (component, version) = (&self.component, &self.version);
        let parcel = Parcel { component, version, package, beside: &beside, unfinished, checked: &|| Ok(()) };
        target.put(&parcel, &|_| {})
    }

    fn key(&self, target: &dyn Target, place: &Place) -> String {
        let wanted = Wanted { file: "model.tar.gz", sha256: Sha256::of(&self.package) };
        target.locate(place, wanted).expect("its own place")
    }
}

fn place(placed: &Placed) -> &OciPlace {
    match &placed.place {
        Place::Oci(place) => place,
        other => panic!("{other:?}"),
    }
}

fn get(target: &dyn Target, key: &str, range: Option<Range<u64>>) -> Vec<u8> {
    let mut reading = target.read(key, range).expect("readable");
    let mut bytes = Vec::new();
    reading.body.read_to_end(&mut bytes).expect("read");
    bytes
}

fn made_up(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|n| (n as u8).wrapping_mul(31) ^ (n >> 9) as u8 ^ seed).collect()
}

#[test]
fn a_registry_keeps_the_contract() {
    let Some(registry) = Registry::start() else { return };
    contract::holds(
        registry.target().as_ref(),
        &contract::Traits { plant: None, deletes: true, longest: contract::Traits::LONGEST },
    );
}

#[test]
fn a_registry_holds_versions_and_gives_them_back() {
    let Some(registry) = Registry::start() else { return };
    let target = registry.target();
    // One request, and several parts.
    let mut places = Vec::new();
    for (version, size) in [("1.0.0+cu121", 70_000), ("2.0.0", (40 << 20) + 3)] {
        let set = Set::new(version, made_up(size, 1));
        let placed = set.put(target.as_ref()).expect("placed");
        let oci = place(&placed);
        assert_eq!(
            (oci.registry.as_str(), oci.repository.as_str()),
            (registry.host().as_str(), "demo/sentiment/model")
        );
        assert_eq!((oci.tag.clone(), placed.already_there), (version.replace('+', "_"), false));
        let key = set.key(target.as_ref(), &placed.place);
        assert_eq!(target.size(&key).expect("answered"), Some(size as u64));
        assert!(get(target.as_ref(), &key, None) == set.package);
        assert!(get(target.as_ref(), &key, Some(100..60_000)) == set.package[100..60_000]);
        assert_eq!(target.shown(&key), format!("{}/demo/sentiment/model:{}/model.tar.gz", registry.host(), oci.tag));
        let again = set.put(target.as_ref()).expect("placed again");
        assert_eq!((&again.place, again.already_there), (&placed.place, true));
        places.push(placed.place);
    }
    let listed = target.list("").expect("listed");
    assert!(listed.iter().all(|listed| {
        let place = target.place_beside(&listed.key, "model.tar.gz");
        place.is_some_and(|place| places.contains(&place))
    }));
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|listed| target.size(&listed.key).expect("answered") == Some(listed.size)));
    assert_eq!(listed.iter().filter(|listed| listed.key.ends_with("/manifest.json")).count(), 2);
    assert!(target.list("demo/other").expect("listed").is_empty());
}

#[test]
fn a_tag_is_never_moved_to_other_content() {
    let Some(registry) = Registry::start() else { return };
    let target = registry.target();
    let sets: Vec<Set> = (0..4).map(|seed| Set::new("1.0.0", made_up(300_000, seed))).collect();
    let placed: Vec<Placed> = std::thread::scope(|scope| {
        let running: Vec<_> =
            sets.iter().map(|set| scope.spawn(|| set.put(target.as_ref()).expect("placed"))).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for (set, placed) in sets.iter().zip(&placed) {
        assert!(get(target.as_ref(), &set.key(target.as_ref(), &placed.place), None) == set.package);
        let aside = format!("1.0.0-{}", &place(placed).digest[7..23]);
        assert!(place(placed).tag == "1.0.0" || place(placed).tag == aside);
    }
    let later = Set::new("1.0.0", made_up(300_000, 9)).put(target.as_ref()).expect("placed");
    assert_eq!(place(&later).tag, format!("1.0.0-{}", &place(&later).digest[7..23]));
}

#[test]
fn other_bytes_than_announced_are_refused() {
    let Some(registry) = Registry::start() else { return };
    for size in [1_000, 20 << 20] {
        let mut set = Set::new("1.0.0", made_up(size, 1));
        set.package[0] ^= 1;
        match set.put(registry.target().as_ref()) {
            Err(Error::Source { expected, found, .. }) => {
                assert_eq!((expected, found), (Sha256::of(&set.package), Sha256::of(&made_up(size, 1))));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(registry.target().list("").expect("listed").is_empty());
}

/// The disk fails in the middle; the second run goes on from there, and where the registry knows nothing of the first, anew.
#[test]
fn an_interrupted_upload_goes_on() {
    const MIB: u64 = 1 << 20;
    let Some(registry) = Registry::start() else { return };
    let (target, notes) = (registry.target(), Notes::default());
    let size = 40 * MIB as usize + 7;
    for (version, known) in [("1.0.0", true), ("2.0.0", false)] {
        let set = Set::new(version, made_up(size, version.as_bytes()[0]));
        let error = set.put_within(target.as_ref(), 0..32 * MIB, Some(&notes)).expect_err("the disk is gone");
        assert!(matches!(error, Error::Io(_)), "{error}");
        let noted = notes.0.lock().expect("not poisoned").len();
        assert_eq!(noted, 1);
        let readable = if known { 32 * MIB..u64::MAX } else { 0..u64::MAX };
        if !known {
            fs::remove_dir_all(registry.dir.path().join("blobs")).expect("removed");
        }
        let placed = set.put_within(target.as_ref(), readable, Some(&notes)).expect("placed");
        assert!(get(target.as_ref(), &set.key(target.as_ref(), &placed.place), None) == set.package);
        assert!(notes.0.lock().expect("not poisoned").is_empty());
    }
}

#[test]
fn deleted_is_gone_and_can_be_put_again() {
    let Some(registry) = Registry::start() else { return };
    let target = registry.target();
    let set = Set::new("1.0.0", made_up(5_000, 1));
    let placed = set.put(target.as_ref()).expect("placed");
    let key = set.key(target.as_ref(), &placed.place);
    target.delete(&key).expect("deleted");
    assert_eq!(target.size(&key).expect("answered"), None);
    let error = target.read(&key, None).map(|_| ()).expect_err("gone");
    assert!(error.is_missing(), "{error}");
    target.delete(&key).expect("nothing to delete");
    assert!(!set.put(target.as_ref()).expect("placed").already_there);
    assert!(get(target.as_ref(), &key, None) == set.package);
}

#[test]
fn skopeo_copies_what_was_published() {
    let Some(registry) = Registry::start() else { return };
    if !has("skopeo", "skopeo") {
        return;
    }
    let set = Set::new("1.0.0", made_up(70_000, 1));
    set.put(registry.target().as_ref()).expect("placed");
    let to = registry.dir.path().join("copied");
    let from = format!("docker://127.0.0.1:{}/demo/sentiment/model:1.0.0", registry.port);
    let skopeo = |args: &[&str]| {
        let output = Command::new("skopeo").args(args).output().expect("it runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", &from]);
    let manifest: serde_json::Value = serde_json::from_str(&raw).expect("JSON");
    assert_eq!(manifest["artifactType"], "application/vnd.deploy-tool.package.v1");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.deploy-tool.package.v1.tar+gzip");
    assert_eq!(manifest["layers"][0]["annotations"]["org.opencontainers.image.title"], "model.tar.gz");
    skopeo(&["--insecure-policy", "copy", "--src-tls-verify=false", &from, &format!("dir:{}", to.display())]);
    let copied = fs::read(to.join(Sha256::of(&set.package).to_string())).expect("copied");
    assert!(copied == set.package);
}

// ---- logins: a server that speaks as much of the protocol as reading a blob takes ----

const BLOB: &[u8] = b"the package";

fn blob_path() -> String {
    format!("/v2/demo/sentiment/model/blobs/sha256:{}", Sha256::of(BLOB))
}

fn blob_place(server: &Server) -> Place {
    Place::Oci(OciPlace {
        registry: server.url(""),
        repository: "demo/sentiment/model".to_owned(),
        tag: "1.0.0".to_owned(),
        digest: format!("sha256:{}", Sha256::of(b"a manifest")),
        extra: Default::default(),
    })
}

fn wanted() -> Wanted<'static> {
    Wanted { file: "model.tar.gz", sha256: Sha256::of(BLOB) }
}

fn mei() -> Option<Login> {
    Some(Login { username: "mei".to_owned(), password: Secret::new("pass".to_owned()) })
}

/// `mei:pass`
const BASIC: &str = "Basic bWVpOnBhc3M=";

fn logins(server: &Server) -> Vec<String> {
    server.seen().iter().filter_map(|seen| seen.headers.get("authorization").cloned()).collect()
}

fn home_with(config: &str) -> (tempfile::TempDir, Ambient) {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join(".docker")).expect("made");
    fs::write(home.path().join(".docker/config.json"), config).expect("written");
    let ambient = Ambient { home: Some(home.path().to_owned()), ..Ambient::default() };
    (home, ambient)
}

#[test]
fn a_registry_that_asks_gets_the_configured_login_or_dockers() {
    let path = blob_path();
    let server = Server::start(&[(&path, BLOB)]);
    server.to_all().misbehave(Way::Login("Basic realm=\"r\"", BASIC.to_owned()), usize::MAX);
    let read = |login, ambient: &Ambient| {
        let target = target(&server.url(""), login, ambient);
        let key = target.locate(&blob_place(&server), wanted()).expect("its own place");
        target.read(&key, None).map(|_| get(target.as_ref(), &key, None))
    };
    assert_eq!(read(mei(), &Ambient::default()).expect("read"), BLOB);
    let host = format!("127.0.0.1:{}", server.port);
    let (_home, ambient) = home_with(&format!(r#"{{"auths": {{"{host}": {{"auth": "bWVpOnBhc3M="}}}}}}"#));
    assert_eq!(read(None, &ambient).expect("read"), BLOB);
    let before = logins(&server).len();
    let (_home, ambient) = home_with(r#"{"auths": {"127.0.0.1:1": {"auth": "bWVpOnBhc3M="}}}"#);
    let refused = read(None, &ambient).map(|_| ()).expect_err("no login");
    assert!(matches!(refused, Error::Remote { fault: Fault::Denied { status: 401 }, .. }), "{refused}");
    assert_eq!(logins(&server).len(), before, "the login of another port stays here");
}

#[test]
fn a_credential_helper_is_asked_for_the_very_host() {
    let path = blob_path();
    let server = Server::start(&[(&path, BLOB)]);
    server.to_all().misbehave(Way::Login("Basic realm=\"r\"", BASIC.to_owned()), usize::MAX);
    let host = format!("127.0.0.1:{}", server.port);
    let (home, mut ambient) = home_with(&format!(r#"{{"credHelpers": {{"{host}": "tests"}}}}"#));
    let helper = home.path().join("docker-credential-tests");
    let script = "#!/bin/sh\n[ \"$1\" = get ] && read host || [ -n \"$host\" ] && echo \"$host\" > \"$SEEN\"\n\
                  echo '{\"ServerURL\": \"x\", \"Username\": \"mei\", \"Secret\": \"pass\"}'\n";
    fs::write(&helper, script).expect("written");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("set");
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").expect("a path"));
    let seen = home.path().join("seen");
    ambient.variables.extend([("PATH".to_owned(), path), ("SEEN".to_owned(), seen.display().to_string())]);
    let target = target(&server.url(""), None, &ambient);
    let key = target.locate(&blob_place(&server), wanted()).expect("its own place");
    assert_eq!(get(target.as_ref(), &key, None), BLOB);
    assert_eq!(fs::read_to_string(seen).expect("asked").trim(), host);
}

#[test]
fn a_token_is_fetched_once_with_the_login_and_used_for_reading() {
    let (path, token) = (blob_path(), br#"{"token": "t0ken", "expires_in": 300}"#);
    let server = Server::start(&[(&path, BLOB), ("/token", token)]);
    let realm = format!("Bearer realm=\"{}\",service=\"r\"", server.url("/token"));
    let realm: &'static str = realm.leak();
    server.to_all().misbehave(Way::Login(realm, "Bearer t0ken".to_owned()), 1);
    let target = target(&server.url(""), mei(), &Ambient::default());
    let key = target.locate(&blob_place(&server), wanted()).expect("its own place");
    for _ in 0..2 {
        assert_eq!(get(target.as_ref(), &key, None), BLOB);
    }
    let asked: Vec<_> =
        server.seen().into_iter().map(|seen| (seen.path, seen.headers.get("authorization").cloned())).collect();
    let bearer = Some("Bearer t0ken".to_owned());
    let query = "/token?service=r&scope=repository%3Ademo%2Fsentiment%2Fmodel%3Apull".to_owned();
    assert_eq!(
        asked,
        [(path.clone(), None), (query, Some(BASIC.to_owned())), (path.clone(), bearer.clone()), (path, bearer)]
    );
}

#[test]
fn no_login_goes_elsewhere() {
    let path = blob_path();
    let (own, other) = (Server::start(&[(&path, BLOB)]), Server::start(&[(&path, BLOB)]));
    let web = target(&own.url(""), mei(), &Ambient::default());
    let key = web.locate(&blob_place(&own), wanted()).expect("its own place");
    // Blobs that lie with another server, which then asks for a login itself.
    let elsewhere = Way::RedirectTo(other.url(&path));
    own.to_all().misbehave(elsewhere.clone(), 2);
    assert_eq!(get(web.as_ref(), &key, None), BLOB);
    let asks = Way::Login("Basic realm=\"r\"", BASIC.to_owned());
    other.to_all().misbehave(asks, 1);
    let refused = web.read(&key, None).map(|_| ()).expect_err("refused");
    assert!(matches!(refused, Error::Remote { fault: Fault::Denied { .. }, .. }), "{refused}");
    // With the login sent before, too.
    own.misbehave(Way::Login("Basic realm=\"r\"", BASIC.to_owned()), 1);
    own.misbehave(elsewhere, 1);
    assert_eq!(get(web.as_ref(), &key, None), BLOB);
    assert_eq!(logins(&own), [BASIC]);
    assert_eq!(logins(&other), [""; 0]);
    // A token server in the clear on another host, for a registry that is none of ours.
    own.misbehave(Way::Login("Bearer realm=\"http://token.example/\"", BASIC.to_owned()), 1);
    let fresh = target(&own.url(""), mei(), &Ambient::default());
    let refused = fresh.read(&key, None).map(|_| ()).expect_err("not sent");
    assert!(
        matches!(&refused, Error::Remote { fault: Fault::Login { reason }, .. } if reason.to_string().contains("token.example"))
    );
    // A record that names another registry, or another repository of this one.
    assert_eq!(web.locate(&blob_place(&other), wanted()), None);
    let Place::Oci(mut foreign) = blob_place(&own) else { return };
    foreign.repository = "demo/sentiment-of-others/model".to_owned();
    assert_eq!(web.locate(&Place::Oci(foreign), wanted()), None);
    // It is read without a login, docker's neither.
    let host = format!("127.0.0.1:{}", other.port);
    let (_home, ambient) = home_with(&format!(r#"{{"auths": {{"{host}": {{"auth": "bWVpOnBhc3M="}}}}}}"#));
    let anonymous = target::anonymous("x", &blob_place(&other), &ambient).expect("a target").expect("of this kind");
    let key = anonymous.locate(&blob_place(&other), wanted()).expect("its own place");
    other.misbehave(Way::Login("Basic realm=\"r\"", BASIC.to_owned()), 1);
    assert!(anonymous.read(&key, None).is_err());
    assert_eq!(get(anonymous.as_ref(), &key, None), BLOB);
    assert_eq!(logins(&other), [""; 0]);
}

#[test]
fn places_that_are_none_make_no_target() {
    let place = |registry: &str, repository: &str| OciPlace {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        tag: "1".to_owned(),
        digest: format!("sha256:{}", Sha256::of(b"")),
        extra: Default::default(),
    };
    for (registry, repository) in [("", "a"), ("h/x", "a"), ("h", "../a"), ("h", "A"), ("h", "a?b"), ("mei@h", "a")] {
        let made = target::anonymous("x", &Place::Oci(place(registry, repository)), &Ambient::default());
        assert!(matches!(made, Err(Error::Settings { .. })), "{registry} {repository}");
    }
    let open = target("http://127.0.0.1:1", None, &Ambient::default());
    for change in [|p: &mut OciPlace| p.tag = "a/b".to_owned(), |p: &mut OciPlace| p.digest = "sha256:0".to_owned()] {
        let mut bad = place("http://127.0.0.1:1", "demo/sentiment/model");
        change(&mut bad);
        assert_eq!(open.locate(&Place::Oci(bad), wanted()), None);
    }
}
