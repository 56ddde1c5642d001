//! On which line of a JSON file something stands, for whoever has to mend it.

/// The line, from 1, on which the member begins that `path` leads to: names of members, and numbers (from 0) of elements. Of
/// what is not there, that of the last one on the way that is.
pub(in crate::records) fn line_of(json: &[u8], path: &[&str]) -> usize {
    let mut scanner = Scanner { json, at: 0 };
    let mut found = 0;
    for step in path {
        match scanner.enter(step) {
            Some(at) => found = at,
            None => break,
        }
    }
    line_at(json, found)
}

/// The line, from 1, of a byte.
fn line_at(text: &[u8], at: usize) -> usize {
    1 + text.get(..at).unwrap_or(text).iter().filter(|byte| **byte == b'\n').count()
}

/// The first line, from 1, that two texts do not share, and that line of the second one.
pub(super) fn first_difference<'t>(one: &[u8], other: &'t [u8]) -> (usize, &'t [u8]) {
    let mut pairs = one.split(|byte| *byte == b'\n').zip(other.split(|byte| *byte == b'\n')).enumerate();
    match pairs.find(|(_, (left, right))| left != right) {
        Some((number, (_, right))) => (number + 1, right),
        None => (one.split(|b| *b == b'\n').count().min(other.split(|b| *b == b'\n').count()), b""),
    }
}

/// Goes through JSON that serde has read already, or gives up.
struct Scanner<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Scanner<'j> {
    fn peek(&mut self) -> Option<u8> {
        while self.json.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.json.get(self.at).copied()
    }

    /// Goes to the value of a member or element; where it, or its name, begins.
    fn enter(&mut self, step: &str) -> Option<usize> {
        let is_object = self.peek()? == b'{';
        if !is_object && self.peek()? != b'[' {
            return None;
        }
        self.at += 1;
        let mut number = 0;
        while !matches!(self.peek()?, b'}' | b']') {
            let begins = self.at;
            let is_it = match is_object {
                true => {
                    let name = self.string()?;
                    self.peek().filter(|byte| *byte == b':')?;
                    self.at += 1;
                    name == step.as_bytes()
                }
                false => step.parse() == Ok(number),
            };
            self.peek()?;
            if is_it {
                return Some(begins);
            }
            self.skip()?;
            number += 1;
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        None
    }

    /// The text between quotes, as it is written.
    fn string(&mut self) -> Option<&'j [u8]> {
        self.peek().filter(|byte| *byte == b'"')?;
        let from = self.at + 1;
        self.at = from;
        loop {
            match self.json.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.json.get(from..self.at - 1)
    }

    /// Goes behind a value, without recursion: it may be as deep as it likes.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                _ => {
                    let rest = self.json.get(self.at..)?;
                    let ends = |byte: &u8| byte.is_ascii_whitespace() || b",:]}".contains(byte);
                    self.at += rest.iter().position(ends).unwrap_or(rest.len()).max(1);
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{
  "a": {"b": [1, {"x": "}\"]"}],
    "c": true},
  "list": [
    "one",
    {
      "name": "two"
    }
  ],
  "last": null
}
"#;

    #[test]
    fn a_member_is_found_wherever_it_stands() {
        for (path, line) in [
            (&[][..], 1),
            (&["a"], 2),
            (&["a", "b", "1", "x"], 2),
            (&["a", "c"], 3),
            (&["list", "0"], 5),
            (&["list", "1"], 6),
            (&["list", "1", "name"], 7),
            (&["list", "9"], 4),
            (&["last", "deeper"], 10),
            (&["nothing"], 1),
        ] {
            assert_eq!(line_of(JSON, path), line, "{path:?}");
        }
        assert_eq!(line_of(b"{\"a\": \"cut", &["b"]), 1);
        assert_eq!(line_of("[".repeat(100_000).as_bytes(), &["5"]), 1);
    }

    #[test]
    fn the_first_line_that_differs() {
        assert_eq!(first_difference(b"a\nb\nc\n", b"a\nX\nc\n"), (2, &b"X"[..]));
        assert_eq!(first_difference(b"a\nb", b"a\nb\n"), (2, &b""[..]));
        assert_eq!(first_difference(b"a\nb\n\n", b"a\nb\n"), (3, &b""[..]));
    }
}
