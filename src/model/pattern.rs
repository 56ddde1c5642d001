//! Patterns of names as OpenSSH has them (PATTERNS in ssh_config(5)): `*` stands for any text, `?` for one character.

/// Whether `name` is one that `pattern` stands for. Takes the product of their lengths at most, whatever they are.
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (p, n) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, is) in [
            ("model", "model", true),
            ("model", "Model", false),
            ("model*", "model-eu", true),
            ("m?i*", "mei", true),
            ("m?i*", "mi", false),
            ("*", "", true),
            ("", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        assert!(!matches_pattern(&("*a".repeat(500) + "b"), &"a".repeat(5000)));
    }
}
