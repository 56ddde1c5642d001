//! Object stores: the contract, going on with an upload, and where a login goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deploy_tool::config::{self, Addressing, Bos, BosAuth, Gcs, KeyPair, S3, Secret, TargetPlace};
use deploy_tool::model::{BosPlace, Place, S3Place, Sha256};
use deploy_tool::target::{Ambient, Error, Fault, Target, Wanted, anonymous, open};

use super::contract::{self, Notes, Set, Traits};
use super::object_servers::{self as servers, ACCESS_KEY, BUCKET, SECRET_KEY, Server};
use super::sample::is_whole;

/// `s3s` keeps notes in files that are named by the whole key.
const LONGEST: usize = 30;

const PREFIX: &str = "ml/größe 模型";

fn keys() -> Option<KeyPair> {
    let (access_key, secret_key) = (ACCESS_KEY.to_owned(), Secret::new(SECRET_KEY.to_owned()));
    Some(KeyPair { access_key, secret_key, session_token: None })
}

fn target(place: TargetPlace) -> Arc<dyn Target> {
    let target = config::Target { name: "remote".to_owned(), place, backup: false };
    open(&target, &Ambient::default(), None).expect("opened")
}

fn s3(server: &Server, credentials: Option<KeyPair>) -> Arc<dyn Target> {
    target(TargetPlace::S3(S3 {
        endpoint: Some(server.url()),
        region: None,
        bucket: BUCKET.to_owned(),
        prefix: PREFIX.to_owned(),
        addressing: Addressing::Path,
        anonymous: credentials.is_none(),
        credentials,
    }))
}

fn bos(server: &Server, auth: BosAuth, credentials: Option<KeyPair>) -> Arc<dyn Target> {
    target(TargetPlace::Bos(Bos {
        endpoint: server.url(),
        bucket: BUCKET.to_owned(),
        prefix: PREFIX.to_owned(),
        auth,
        anonymous: credentials.is_none(),
        credentials,
    }))
}

#[test]
fn an_s3_store_holds_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = servers::s3(dir.path(), true);
    let plant = |key: &str, bytes: &[u8]| std::fs::write(servers::s3_file(dir.path(), key), bytes).expect("planted");
    contract::holds(&*s3(&server, keys()), &Traits { plant: Some(&plant), deletes: true, longest: LONGEST });
    assert!(server.seen().iter().all(|seen| !seen.target.contains(SECRET_KEY)));
}

#[test]
fn bos_by_s3_holds_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = servers::s3(dir.path(), true);
    contract::holds(&*bos(&server, BosAuth::S3, keys()), &Traits { plant: None, deletes: true, longest: LONGEST });
}

#[test]
fn bos_by_its_own_signature_holds_the_contract() {
    let (server, held) = servers::bos();
    let plant = |key: &str, bytes: &[u8]| {
        held.lock().expect("not poisoned").objects.insert(key.to_owned(), bytes.to_vec().into());
    };
    let traits = Traits { plant: Some(&plant), deletes: true, longest: Traits::LONGEST };
    contract::holds(&*bos(&server, BosAuth::Bce, keys()), &traits);
}

/// Google's XML interface is S3's, but for the signature.
#[test]
fn google_holds_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = servers::s3(dir.path(), false);
    let target = target(TargetPlace::Gcs(Gcs {
        bucket: BUCKET.to_owned(),
        prefix: PREFIX.to_owned(),
        endpoint: Some(server.url()),
        service_account: None,
        anonymous: true,
    }));
    contract::holds(&*target, &Traits { plant: None, deletes: true, longest: LONGEST });
    let nobody = |login: &str| login.trim() == "Bearer";
    assert!(server.seen().iter().all(|seen| seen.authorization.as_deref().is_none_or(nobody)));
}

/// Unsigned, so that nothing but reading back can find what arrived wrong.
#[test]
fn a_store_without_a_login_is_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = servers::s3(dir.path(), false);
    let target = s3(&server, None);
    let set = Set::new("model", "1.0.0", 1, 9 << 20);
    let placed = set.put(&*target, &|_| {}, None).expect("placed");
    set.is_held(&*target, &placed.place);
    assert!(server.seen().iter().all(|seen| seen.authorization.is_none()));
}

#[test]
fn sizes_beyond_one_request_are_sent_in_parts() {
    if !is_whole() {
        eprintln!("5 GiB are not sent: CI is not set");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    contract::boundary(&*s3(&servers::s3(dir.path(), true), keys()));
}

/// The disk fails in the middle; the second run sends what the first did not.
#[test]
fn an_interrupted_upload_goes_on() {
    const MIB: u64 = 1 << 20;
    let dir = tempfile::tempdir().expect("a directory");
    let s3_server = servers::s3(dir.path(), true);
    let (bos_server, _) = servers::bos();
    for (server, target) in
        [(&s3_server, s3(&s3_server, keys())), (&bos_server, bos(&bos_server, BosAuth::Bce, keys()))]
    {
        let parts = |server: &Server| {
            let seen = server.seen();
            let part = |seen: &&servers::Seen| seen.method == "PUT" && seen.target.contains("partNumber=");
            let begun = |seen: &&servers::Seen| seen.method == "POST" && seen.target.contains("uploads");
            (seen.iter().filter(part).count(), seen.iter().filter(begun).count())
        };
        let notes = Notes::default();
        let set = Set::new("model", "1.0.0", 1, 40 * MIB + 1);
        set.package.readable.store(24 * MIB, Ordering::Relaxed);
        let error = set.put(&*target, &|_| {}, Some(&notes)).expect_err("the disk is gone");
        assert!(matches!(error, Error::Io(_)), "{error}");
        assert_eq!(notes.0.lock().expect("not poisoned").len(), 1);
        assert_eq!(parts(server), (3, 1));

        set.package.readable.store(u64::MAX, Ordering::Relaxed);
        let told = AtomicU64::new(0);
        let count = |bytes: u64| _ = told.fetch_add(bytes, Ordering::Relaxed);
        let placed = set.put(&*target, &count, Some(&notes)).expect("placed");
        assert_eq!(parts(server), (3, 0), "what was there is not sent again");
        assert_eq!(told.load(Ordering::Relaxed), 40 * MIB + 1 + set.beside(), "what lies beside it comes at the end");
        set.is_held(&*target, &placed.place);
        assert!(notes.0.lock().expect("not poisoned").is_empty());

        // A note of an upload that the store knows no more.
        let set = Set::new("model", "2.0.0", 2, 20 * MIB);
        set.package.readable.store(8 * MIB, Ordering::Relaxed);
        set.put(&*target, &|_| {}, Some(&notes)).expect_err("the disk is gone");
        for note in notes.0.lock().expect("not poisoned").values_mut() {
            let mut gone: serde_json::Value = serde_json::from_slice(note).expect("JSON");
            gone["upload"] = "00000000-0000-0000-0000-000000000000".into();
            *note = gone.to_string().into_bytes();
        }
        set.package.readable.store(u64::MAX, Ordering::Relaxed);
        told.store(0, Ordering::Relaxed);
        let placed = set.put(&*target, &count, Some(&notes)).expect("placed");
        set.is_held(&*target, &placed.place);
        assert_eq!(told.load(Ordering::Relaxed), 20 * MIB + set.beside());
        assert!(notes.0.lock().expect("not poisoned").is_empty());
    }
}

/// The parts of a package are sent while it is being checked; nothing of one that may not be published stays.
#[test]
fn what_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = servers::s3(dir.path(), true);
    let target = s3(&server, keys());
    for size in [1 << 10, 20 << 20] {
        let notes = Notes::default();
        let set = Set::new("model", "1.0.0", 1, size);
        let refused = set.put_once_checked(&*target, &|_| {}, Some(&notes), &|| Err(Error::GivenUp));
        assert!(matches!(refused, Err(Error::GivenUp)), "{refused:?}");
        assert!(target.list("").expect("listed").is_empty());
        assert!(notes.0.lock().expect("not poisoned").is_empty());
        let seen = server.seen();
        let count = |method: &str, what: &str| {
            seen.iter().filter(|seen| seen.method == method && seen.target.contains(what)).count()
        };
        let begun = count("POST", "uploads");
        assert_eq!((begun, count("DELETE", "uploadId=")), (begun, begun), "what was begun is given up");
        assert_eq!(begun, usize::from(size > 8 << 20));
        set.is_held(&*target, &set.put(&*target, &|_| {}, Some(&notes)).expect("placed").place);
        for key in set.keys(&*target, &set.put(&*target, &|_| {}, None).expect("there").place) {
            target.delete(&key).expect("deleted");
        }
        server.seen();
    }
}

/// A record that names another endpoint is in no configured target, and is read without the login.
#[test]
fn a_login_goes_nowhere_but_to_its_own_store() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let own = servers::s3(dirs[0].path(), true);
    let foreign = servers::s3(dirs[1].path(), false);
    let (bos_server, _) = servers::bos();
    let key = "model/1.0.0/m.tar";
    let file = servers::s3_file(dirs[1].path(), key);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(file, b"package").expect("written");
    let s3_place = |endpoint: &str| {
        Place::S3(S3Place {
            endpoint: Some(endpoint.to_owned()),
            region: None,
            bucket: BUCKET.to_owned(),
            object_key: key.to_owned(),
            extra: Default::default(),
        })
    };
    let bos_place = |endpoint: &str| {
        let (bucket, object_key) = (BUCKET.to_owned(), key.to_owned());
        Place::Bos(BosPlace { endpoint: endpoint.to_owned(), bucket, object_key, extra: Default::default() })
    };
    let wanted = Wanted { file: "m.tar", sha256: Sha256::of(b"package") };
    let s3_target = s3(&own, keys());
    let bos_target = bos(&bos_server, BosAuth::Bce, keys());
    assert_eq!(s3_target.locate(&s3_place(&own.url()), wanted).as_deref(), Some(key));
    for place in [s3_place(&foreign.url()), bos_place(&foreign.url())] {
        assert_eq!(s3_target.locate(&place, wanted), None);
        assert_eq!(bos_target.locate(&place, wanted), None);
        let ambient = Ambient {
            variables: [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Ambient::default()
        };
        let target = anonymous("remote", &place, &ambient).expect("opened").expect("of this kind");
        assert_eq!(target.locate(&place, wanted).as_deref(), Some(key));
        let mut body = Vec::new();
        let mut reading = target.read(key, None).expect("readable");
        std::io::Read::read_to_end(&mut reading.body, &mut body).expect("read");
        assert_eq!(body, b"package");
        let seen = foreign.seen();
        assert!(!seen.is_empty() && seen.iter().all(|seen| seen.authorization.is_none()), "{seen:?}");
        assert_eq!(target.presign(key, std::time::Duration::from_secs(1)).expect("nothing to sign with"), None);
    }
    for place in ["http://user:secret@127.0.0.1:1", "file:///etc", "http://127.0.0.1:1/?x=y"] {
        assert!(anonymous("remote", &s3_place(place), &Ambient::default()).is_err(), "{place}");
        assert!(anonymous("remote", &bos_place(place), &Ambient::default()).is_err(), "{place}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (elsewhere, _) = servers::bos();
    let to = format!("{}/x?token=secret", elsewhere.url());
    let server = Server::start(move |_| {
        let to = to.clone();
        async move { servers::answer(307, &[("location", &to)], "") }
    });
    for target in [s3(&server, keys()), bos(&server, BosAuth::Bce, keys())] {
        let error = target.read("model/1.0.0/m.tar", None).map(|_| ()).expect_err("not followed");
        let Error::Remote { fault: Fault::Redirect { to, .. }, place, .. } = &error else { panic!("{error}") };
        assert!(to.ends_with("/x") && place.ends_with("/model/1.0.0/m.tar"), "{error}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn faults_have_their_kinds() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = servers::s3(dir.path(), true);
    let wrong = KeyPair { secret_key: Secret::new("wrong".to_owned()), ..keys().expect("keys") };
    let fault = |target: &dyn Target| match target.read("model/1.0.0/m.tar", None).map(|_| ()) {
        Err(Error::Remote { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(&*s3(&server, keys())), Fault::Missing);
    assert_eq!(fault(&*s3(&server, Some(wrong.clone()))), Fault::Denied { status: 403 });
    let (bos_server, _) = servers::bos();
    assert_eq!(fault(&*bos(&bos_server, BosAuth::Bce, keys())), Fault::Missing);
    assert_eq!(fault(&*bos(&bos_server, BosAuth::Bce, Some(wrong))), Fault::Denied { status: 403 });
    let busy = Server::start(|_| async { servers::answer(503, &[("retry-after", "3")], "") });
    let wait = Fault::Busy { status: 503, retry_after: Some(std::time::Duration::from_secs(3)) };
    assert_eq!(fault(&*s3(&busy, keys())), wait);
    assert_eq!(fault(&*bos(&busy, BosAuth::Bce, keys())), wait);
    assert_eq!(busy.seen().len(), 2, "nothing is tried twice");
    let gone = Server::start(|_| async { servers::answer(200, &[], "") });
    let target = s3(&gone, keys());
    drop(gone);
    assert!(matches!(fault(&*target), Fault::Connection { .. }));
}
