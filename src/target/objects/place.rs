//! What a record says of an object, and whether that is in the store of a target.

use reqwest::Url;
use serde_json::Value;

use crate::model::{AzurePlace, BosPlace, GcsPlace, Place, S3Place};

/// The key a place names, if it is one of an object store.
pub fn key(place: &Place) -> Option<&str> {
    match place {
        Place::S3(S3Place { object_key, .. })
        | Place::Bos(BosPlace { object_key, .. })
        | Place::Gcs(GcsPlace { object_key, .. })
        | Place::Azure(AzurePlace { object_key, .. }) => Some(object_key),
        _ => None,
    }
}

/// The place of another key in the same store.
pub fn at(home: &Place, key: &str) -> Place {
    let mut place = home.clone();
    match &mut place {
        Place::S3(S3Place { object_key, .. })
        | Place::Bos(BosPlace { object_key, .. })
        | Place::Gcs(GcsPlace { object_key, .. })
        | Place::Azure(AzurePlace { object_key, .. }) => *object_key = key.to_owned(),
        _ => {}
    }
    place
}

/// Whether both are in the same bucket behind the same scheme, host and port. This decides where a login goes, so what
/// cannot be read is not the same.
pub fn same(home: &Place, other: &Place) -> bool {
    match (home, other) {
        (Place::S3(a), Place::S3(b)) => a.bucket == b.bucket && same_origin(&a.endpoint, &b.endpoint),
        (Place::Bos(a), Place::Bos(b)) => {
            a.bucket == b.bucket && matches!((url(&a.endpoint), url(&b.endpoint)), (Some(a), Some(b)) if a == b)
        }
        (Place::Gcs(a), Place::Gcs(b)) => {
            a.bucket == b.bucket && same_origin(&extra(&a.extra, "endpoint"), &extra(&b.extra, "endpoint"))
        }
        (Place::Azure(a), Place::Azure(b)) => {
            a.account == b.account && a.container == b.container && same_origin(&a.endpoint, &b.endpoint)
        }
        _ => false,
    }
}

/// A text among the fields of a record that have no place in the model.
pub fn extra(fields: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn same_origin(a: &Option<String>, b: &Option<String>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => matches!((url(a), url(b)), (Some(a), Some(b)) if a == b),
        _ => false,
    }
}

/// An endpoint as a URL with a final slash, `https://` where it names no scheme; `None` where it is anything but scheme,
/// host, port and path.
pub fn url(endpoint: &str) -> Option<Url> {
    let text = if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") };
    let url: Url = format!("{}/", text.trim_end_matches('/')).parse().ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (plain && matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(endpoint: Option<&str>, bucket: &str) -> Place {
        Place::S3(S3Place {
            endpoint: endpoint.map(str::to_owned),
            region: None,
            bucket: bucket.to_owned(),
            object_key: "k".to_owned(),
            extra: Default::default(),
        })
    }

    fn bos(endpoint: &str) -> Place {
        let (bucket, object_key) = ("b".to_owned(), "k".to_owned());
        Place::Bos(BosPlace { endpoint: endpoint.to_owned(), bucket, object_key, extra: Default::default() })
    }

    #[test]
    fn a_store_is_scheme_host_port_and_bucket() {
        let home = s3(Some("https://s3.example"), "b");
        assert!(same(&home, &s3(Some("https://S3.example:443/"), "b")));
        for other in
            ["http://s3.example", "https://s3.example:8443", "https://s3.example.evil", "https://evil@s3.example"]
        {
            assert!(!same(&home, &s3(Some(other), "b")), "{other}");
        }
        assert!(!same(&home, &s3(Some("https://s3.example"), "c")));
        assert!(!same(&home, &s3(None, "b")));
        assert!(same(&s3(None, "b"), &s3(None, "b")));
        assert!(same(&bos("bj.bcebos.com"), &bos("https://bj.bcebos.com")));
        assert!(!same(&bos("bj.bcebos.com"), &bos("http://bj.bcebos.com")));
        assert!(!same(&bos("bj.bcebos.com"), &home));
        assert!(!same(&s3(Some("a b"), "b"), &s3(Some("a b"), "b")), "what cannot be read");
    }
}
