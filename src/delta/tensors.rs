//! The tensors of a safetensors file: `length (u64, little-endian) · JSON · data`, as huggingface/safetensors has it.
//!
//! A header is taken at its word only where all of it fits the file; else the file is bytes like any other.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::header::Width;

/// The most bytes of a header that is read; those of models with ten thousands of tensors have one or two MiB.
const MAX_JSON_BYTES: u64 = 8 << 20;

/// A tensor of floats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    /// Where it begins in the file.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
    pub width: Width,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Tensor { dtype: String, shape: Vec<u64>, data_offsets: (u64, u64) },
    Other(IgnoredAny),
}

/// The tensors of 16-bit and 32-bit floats of a file of `size` bytes, in the order of their bytes; none where it is no
/// safetensors file or its header does not fit.
pub(super) fn of_file(file: &File, size: u64) -> Vec<Tensor> {
    let mut start = [0; 9];
    if file.read_exact_at(&mut start, 0).is_err() || start[8] != b'{' {
        return Vec::new();
    }
    let length = start.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if length > MAX_JSON_BYTES || length + 8 > size {
        return Vec::new();
    }
    let mut json = vec![0; length as usize];
    match file.read_exact_at(&mut json, 8) {
        Ok(()) => parse(&json, size),
        Err(_) => Vec::new(),
    }
}

/// The same of the header's JSON; `size` is the length of the whole file.
fn parse(json: &[u8], size: u64) -> Vec<Tensor> {
    let start = json.len() as u64 + 8;
    let Ok(items) = serde_json::from_slice::<BTreeMap<String, Item>>(json) else { return Vec::new() };
    let (mut floats, mut all) = (Vec::new(), Vec::new());
    for (name, item) in items {
        let Item::Tensor { dtype, shape, data_offsets: (from, to) } = item else { continue };
        let (Some(offset), Some(end), Some(length)) =
            (start.checked_add(from), start.checked_add(to), to.checked_sub(from))
        else {
            return Vec::new();
        };
        if end > size {
            return Vec::new();
        }
        all.push((offset, end));
        let width = match dtype.as_str() {
            "BF16" | "F16" => Width::Two,
            "F32" => Width::Four,
            _ => continue,
        };
        let bytes = shape.iter().try_fold(width.bytes() as u64, |bytes, side| bytes.checked_mul(*side));
        if bytes != Some(length) {
            return Vec::new();
        }
        if length > 0 {
            floats.push(Tensor { name, dtype, shape, offset, length, width });
        }
    }
    all.sort_unstable();
    if all.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Vec::new();
    }
    floats.sort_unstable_by_key(|tensor| tensor.offset);
    floats
}

/// Of each tensor of `new`, where its counterpart of equal name, kind and shape begins in the old file.
pub(super) fn counterparts(new: &[Tensor], old: &[Tensor]) -> Vec<Option<u64>> {
    let by_name: BTreeMap<&str, &Tensor> = old.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let same = |tensor: &Tensor| {
        let old = by_name.get(tensor.name.as_str())?;
        (old.dtype == tensor.dtype && old.shape == tensor.shape).then_some(old.offset)
    };
    new.iter().map(same).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_that_fits_is_taken_and_others_are_not() {
        let json = |offsets: &str| {
            format!(
                r#"{{"__metadata__":{{"format":"pt"}},"a":{{"dtype":"BF16","shape":[2,2],"data_offsets":{offsets}}}}}"#
            )
        };
        let good = json("[0,8]");
        let found = parse(good.as_bytes(), good.len() as u64 + 16);
        assert_eq!((found.len(), found[0].offset, found[0].length), (1, good.len() as u64 + 8, 8));
        for bad in
            ["[0,9]", "[8,0]", "[0,18446744073709551615]", "[18446744073709551608,18446744073709551615]", "[1,9]"]
        {
            let bad = json(bad);
            assert_eq!(parse(bad.as_bytes(), bad.len() as u64 + 16), [], "{bad}");
        }
        let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}"#;
        assert_eq!(parse(huge.as_bytes(), 1000), []);
        let over = r#"{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"I8","shape":[8],"data_offsets":[4,12]}}"#;
        assert_eq!(parse(over.as_bytes(), 1000), []);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(
            names in proptest::collection::vec("[ab_]{0,3}", 0..4),
            numbers in proptest::collection::vec(prop_oneof![any::<u64>(), 0u64..64], 16),
            size in 0u64..400,
            cut in 0usize..400,
        ) {
            let kinds = ["BF16", "F16", "F32", "I8", "?"];
            let items: Vec<String> = names.iter().enumerate().map(|(i, name)| {
                let n = |at: usize| numbers[(4 * i + at) % numbers.len()];
                let kind = kinds[n(0) as usize % kinds.len()];
                format!(r#""{name}":{{"dtype":"{kind}","shape":[{}],"data_offsets":[{},{}]}}"#, n(1), n(2), n(3))
            }).collect();
            let mut json = format!("{{{}}}", items.join(",")).into_bytes();
            for tensor in parse(&json, size) {
                prop_assert!(tensor.offset + tensor.length <= size && tensor.length > 0);
            }
            json.truncate(cut);
            let _ = parse(&json, size);
        }
    }
}
