//! The files of the AWS command line: `~/.aws/credentials` and `~/.aws/config`, for keys and a region.
//!
//! Format: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>. Only keys that stand there as they are
//! are used; profiles that assume roles, run programs or log in by a browser have none.

use std::path::PathBuf;

use crate::config::{KeyPair, Secret};
use crate::fsx;
use crate::target::Ambient;

/// What a profile says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The key to sign with.
    pub keys: Option<KeyPair>,
    /// The region.
    pub region: Option<String>,
}

/// The profile `AWS_PROFILE`, else `default`. Files that do not exist say nothing.
///
/// # Errors
///
/// A file that is there and cannot be read.
pub fn read(ambient: &Ambient) -> fsx::Result<Profile> {
    let read = |variable: &str, usual: &str| -> fsx::Result<String> {
        let named = ambient.get(variable).map(PathBuf::from);
        let Some(path) = named.or_else(|| Some(ambient.home.as_ref()?.join(usual))) else { return Ok(String::new()) };
        Ok(fsx::read_opt(&path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default())
    };
    let credentials = read("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")?;
    let config = read("AWS_CONFIG_FILE", ".aws/config")?;
    Ok(profile(&credentials, &config, ambient.get("AWS_PROFILE").unwrap_or("default")))
}

/// What both files say of a profile; the first is asked first for keys.
fn profile(credentials: &str, config: &str, name: &str) -> Profile {
    let keys = |file: &str, header: &str| {
        let find = |key| value(file, header, key);
        Some(KeyPair {
            access_key: find("aws_access_key_id")?,
            secret_key: Secret::new(find("aws_secret_access_key")?),
            session_token: find("aws_session_token").map(Secret::new),
        })
    };
    let long = format!("profile {name}");
    let header = if name == "default" && !has(config, &long) { name } else { &long };
    Profile {
        keys: keys(credentials, name).or_else(|| keys(config, header)),
        region: value(config, header, "region").or_else(|| value(credentials, name, "region")),
    }
}

/// The name in a line `[name]`, its spaces made one.
fn header(line: &str) -> Option<String> {
    let name = line.trim().strip_prefix('[')?.split(']').next()?;
    Some(name.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn has(file: &str, section: &str) -> bool {
    file.lines().any(|line| header(line).as_deref() == Some(section))
}

/// The value of a key in a section; the last one counts, as in AWS's own reader. Indented lines belong to the key above.
fn value(file: &str, section: &str, key: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in file.lines() {
        if let Some(name) = header(line) {
            inside = name == section;
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((name, value)) = line.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            found = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "# mine\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=a/b+c==\n\n\
        [ work ]\nAWS_ACCESS_KEY_ID=AKIA2\naws_secret_access_key = two\naws_session_token = tok\n[half]\naws_access_key_id=x\n";
    const CONFIG: &str = "[default]\nregion = eu-west-1\n[profile  work]\nregion=cn-north-1\ns3 =\n  region = no\n\
        [profile inline]\naws_access_key_id=AKIA3\naws_secret_access_key=three\n";

    fn keys(profile: &Profile) -> Option<(&str, &str, Option<&str>)> {
        let keys = profile.keys.as_ref()?;
        Some((&keys.access_key, keys.secret_key.expose(), keys.session_token.as_ref().map(Secret::expose)))
    }

    #[test]
    fn profiles_are_read_as_the_command_line_has_them() {
        let read = |name| profile(CREDENTIALS, CONFIG, name);
        assert_eq!(keys(&read("default")), Some(("AKIA1", "a/b+c==", None)));
        assert_eq!(read("default").region.as_deref(), Some("eu-west-1"));
        assert_eq!(keys(&read("work")), Some(("AKIA2", "two", Some("tok"))));
        assert_eq!(read("work").region.as_deref(), Some("cn-north-1"));
        assert_eq!(keys(&read("inline")), Some(("AKIA3", "three", None)));
        assert_eq!(read("half"), Profile::default());
        assert_eq!(read("nobody"), Profile::default());
        assert_eq!(profile("[", "[]]\n=\n[default", "default"), Profile::default());
    }

    #[test]
    fn the_files_are_found_below_home_or_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = Some(dir.path().to_owned());
        let mut ambient = Ambient { home, ..Ambient::default() };
        assert_eq!(read(&ambient).expect("no files"), Profile::default());
        fsx::create_dir_all(&dir.path().join(".aws")).expect("made");
        fsx::write_new(&dir.path().join(".aws/credentials"), CREDENTIALS.as_bytes()).expect("written");
        fsx::write_new(&dir.path().join("elsewhere"), CONFIG.as_bytes()).expect("written");
        ambient.variables.insert("AWS_PROFILE".to_owned(), "work".to_owned());
        assert_eq!(keys(&read(&ambient).expect("read")).map(|keys| keys.0), Some("AKIA2"));
        let elsewhere = dir.path().join("elsewhere").to_string_lossy().into_owned();
        ambient.variables.insert("AWS_CONFIG_FILE".to_owned(), elsewhere);
        assert_eq!(read(&ambient).expect("read").region.as_deref(), Some("cn-north-1"));
    }
}
