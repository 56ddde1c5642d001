//! nginx over a directory: under `/ranges/` as it is by default, under `/whole/` without ranges.

use std::fs;
use std::path::Path;

use super::{Process, directory, find, free_port, plain};

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    pub port: u16,
    _process: Process,
    _dir: tempfile::TempDir,
}

impl Nginx {
    /// Serves what is below `files`.
    pub fn serving(files: &Path) -> Option<Self> {
        let program = find("nginx", "Debian package `nginx-light`")?;
        let (dir, port) = (directory(), free_port());
        let temporary: String = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"]
            .iter()
            .map(|name| format!("  {name}_temp_path tmp/{name};\n"))
            .collect();
        fs::create_dir(dir.path().join("tmp")).expect("made");
        let config = format!(
            "daemon off;\n\
             master_process off;\n\
             pid nginx.pid;\n\
             events {{}}\n\
             http {{\n\
             {temporary}  \
               access_log off;\n  \
               sendfile on;\n  \
               server {{\n    \
                 listen 127.0.0.1:{port};\n    \
                 location /ranges/ {{ alias '{files}/'; }}\n    \
                 location /whole/ {{ alias '{files}/'; max_ranges 0; }}\n  \
               }}\n\
             }}\n",
            files = files.display()
        );
        fs::write(dir.path().join("nginx.conf"), config).expect("written");
        let mut command = plain(program, dir.path());
        // The log named here is the one before the configuration is read.
        command.arg("-e").arg("stderr").arg("-p").arg(dir.path()).args(["-c", "nginx.conf"]);
        let process = Process::start(&mut command, &dir.path().join("log"), &[port]);
        Some(Self { port, _process: process, _dir: dir })
    }

    /// The URL of `/ranges/` or `/whole/`.
    pub fn url(&self, location: &str) -> String {
        format!("http://127.0.0.1:{}/{location}/", self.port)
    }
}
