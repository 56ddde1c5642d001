//! The packed bytes of one job, both ways.

use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, SafeResult};

use super::floats::{join, join_differences, split, split_differences};
use super::{Unmade, With};

/// Sorted floats have no repetitions worth a search: only shorter codes for frequent bytes, and runs.
const FLOAT_LEVEL: i32 = 1;
/// zstd's smallest and the largest that every decoder takes.
const WINDOW_LOGS: (u32, u32) = (10, 27);
/// The table of places has this power of two fewer entries than there are bytes.
const TABLE_LESS: u32 = 2;

/// Packs `raw`, new bytes, against `old`, as `with` says.
pub(super) fn pack(raw: &[u8], old: &[u8], with: With, level: i32) -> Result<Vec<u8>, String> {
    match with {
        With::Copy => Ok(Vec::new()),
        With::Prefix => compress(raw, old, level),
        With::Plain => compress(raw, &[], level),
        With::Split(width) => {
            let mut planes = vec![0; raw.len()];
            split(raw, width, &mut planes);
            compress(&planes, &[], FLOAT_LEVEL)
        }
        With::Diff(width) => {
            let mut planes = vec![0; raw.len()];
            split_differences(raw, old, width, &mut planes);
            compress(&planes, &[], FLOAT_LEVEL)
        }
    }
}

/// Fills `raw` with what `packed` holds; `planes` is room to work in.
pub(super) fn unpack(
    packed: &[u8],
    old: &[u8],
    with: With,
    planes: &mut Vec<u8>,
    raw: &mut [u8],
) -> Result<(), Unmade> {
    match with {
        With::Copy if old.len() == raw.len() => {
            raw.copy_from_slice(old);
            Ok(())
        }
        With::Copy => Err(Unmade::Uneven),
        With::Prefix => decompress(packed, old, raw),
        With::Plain => decompress(packed, &[], raw),
        With::Split(width) => {
            planes.resize(raw.len(), 0);
            decompress(packed, &[], planes)?;
            join(planes, width, raw);
            Ok(())
        }
        With::Diff(_) if old.len() != raw.len() => Err(Unmade::Uneven),
        With::Diff(width) => {
            planes.resize(raw.len(), 0);
            decompress(packed, &[], planes)?;
            join_differences(planes, old, width, raw);
            Ok(())
        }
    }
}

fn compress(raw: &[u8], old: &[u8], level: i32) -> Result<Vec<u8>, String> {
    let mut packed = vec![0; zstd_safe::compress_bound(raw.len())];
    // The window must reach from the last new byte to the first old one.
    let reach = (raw.len() + old.len()).max(1).next_power_of_two().trailing_zeros();
    // A context lives as long as the prefix it borrows, so each job has its own.
    let mut context = CCtx::try_create().ok_or("no memory")?;
    let steps = [
        CParameter::CompressionLevel(level),
        CParameter::WindowLog(reach.clamp(WINDOW_LOGS.0, WINDOW_LOGS.1)),
        CParameter::ContentSizeFlag(true),
    ];
    steps.into_iter().try_for_each(|step| checked(context.set_parameter(step)).map(drop))?;
    if !old.is_empty() {
        // zstd sizes its table for the new bytes; it has to hold the old ones too. On a runtime's update that makes the
        // delta a twentieth smaller, in half the time.
        checked(context.set_parameter(CParameter::HashLog(reach.saturating_sub(TABLE_LESS).clamp(12, 24))))?;
        checked(context.ref_prefix(old))?;
    }
    let length = checked(context.compress2(packed.as_mut_slice(), raw))?;
    packed.truncate(length);
    Ok(packed)
}

fn decompress(packed: &[u8], old: &[u8], raw: &mut [u8]) -> Result<(), Unmade> {
    let mut context = DCtx::try_create().ok_or_else(|| Unmade::Decode("no memory".to_owned()))?;
    if !old.is_empty() {
        checked(context.ref_prefix(old)).map_err(Unmade::Decode)?;
    }
    let length = checked(context.decompress(raw, packed)).map_err(Unmade::Decode)?;
    if length == raw.len() { Ok(()) } else { Err(Unmade::Short) }
}

fn checked(result: SafeResult) -> Result<usize, String> {
    result.map_err(|code| zstd_safe::get_error_name(code).to_owned())
}
