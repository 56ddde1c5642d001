//! `${VAR}`, `${VAR:-default}` and `$$` in one text.
//!
//! It happens after the YAML is read, so what a variable holds can never change the structure; and once only, so what
//! it holds is never searched for further variables.

/// Why a text has no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// This variable is not set and has no default.
    Unset(String),
    /// A `$` that begins none of the three forms.
    Malformed,
}

/// Replaces every variable. `${VAR:-default}` takes the default where the variable is unset or empty, as the shell does;
/// a default ends at the first `}` and is taken literally.
pub(super) fn interpolate(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Failure> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            tail
        } else {
            let body = after.strip_prefix('{').ok_or(Failure::Malformed)?;
            let (body, tail) = body.split_once('}').ok_or(Failure::Malformed)?;
            out.push_str(&value(body, lookup)?);
            tail
        };
    }
    out.push_str(rest);
    Ok(out)
}

fn value(body: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Failure> {
    let (name, default) = match body.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (body, None),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Failure::Malformed);
    }
    match (lookup(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) if default.contains('$') => Err(Failure::Malformed),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Failure::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(text: &str) -> Result<String, Failure> {
        interpolate(text, &|name| match name {
            "A" => Some("one".into()),
            "EMPTY" => Some(String::new()),
            "DOLLAR" => Some("${A}: $".into()),
            _ => None,
        })
    }

    #[test]
    fn the_three_forms() {
        assert_eq!(run("x/${A}/y${A}"), Ok("x/one/yone".into()));
        assert_eq!(run("${A:-two}${NONE:-two}${EMPTY:-three}${NONE:-}"), Ok("onetwothree".into()));
        assert_eq!(run("[${EMPTY}]"), Ok("[]".into()));
        assert_eq!(run("$$ $${A}"), Ok("$ ${A}".into()));
        assert_eq!(run("${DOLLAR}"), Ok("${A}: $".into()), "what a variable holds is not searched again");
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        assert_eq!(run("${NONE}"), Err(Failure::Unset("NONE".into())));
        for bad in ["$A", "a$", "${A", "${}", "${A B}", "${1A}", "${A:+x}", "${NONE:-${A}}", "${:-x}"] {
            assert_eq!(run(bad), Err(Failure::Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_without_a_dollar_is_kept(text in "[^$]*") {
            prop_assert_eq!(run(&text), Ok(text));
        }

        #[test]
        fn doubled_dollars_give_any_text_back(text in any::<String>()) {
            prop_assert_eq!(run(&text.replace('$', "$$")), Ok(text));
        }
    }
}
