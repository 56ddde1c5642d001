//! "Did you mean": the known word that is spelled most like an unknown one.

/// The word nearest to `unknown`, where one differs in no more than a third of its letters.
pub(super) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let allowed = (unknown.chars().count() / 3).clamp(1, 3);
    let lower = unknown.to_lowercase();
    let distances = known.into_iter().map(|word| (strsim::damerau_levenshtein(&lower, word), word));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= allowed).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["version", "components", "pack", "publish"];
        assert_eq!(nearest("component", known), Some("components".into()));
        assert_eq!(nearest("Publsih", known), Some("publish".into()));
        assert_eq!(nearest("hooks", known), None);
        assert_eq!(nearest("x", known), None);
    }
}
