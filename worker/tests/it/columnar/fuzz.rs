//! Files of every binary format, damaged at random: rows or an error that names the file, within the budget.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;

use super::damage::survives;
use super::written;

/// The files, by name, as their writers made them.
static FILES: LazyLock<BTreeMap<String, Bytes>> = LazyLock::new(|| written("fuzz"));

/// What happens to a file, at places as shares of its length from its end: footers stand there.
#[derive(Debug, Clone)]
enum Damage {
    Set(f64, u8),
    Flip(f64, u8),
    Fill(f64, u8, u8),
    Cut(f64),
    Insert(f64, Vec<u8>),
    Double(f64, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    // Every second time near an end.
    let place = prop_oneof![0.0..1.0, 0.0..0.05, 0.95..1.0];
    let odd = prop_oneof![any::<u8>(), Just(0), Just(0x7f), Just(0x80), Just(0xff)];
    prop_oneof![
        6 => (place.clone(), odd.clone()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        4 => (place.clone(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (place.clone(), odd, 1..40u8).prop_map(|(at, byte, len)| Damage::Fill(at, byte, len)),
        1 => place.clone().prop_map(Damage::Cut),
        1 => (place.clone(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (place, 1..60u8).prop_map(|(at, len)| Damage::Double(at, len)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let place = |share: f64| ((bytes.len() as f64 * share) as usize).min(bytes.len().saturating_sub(1));
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Set(at, byte) => {
            let at = place(*at);
            bytes[at] = *byte;
        }
        Damage::Flip(at, bit) => {
            let at = place(*at);
            bytes[at] ^= 1 << bit;
        }
        Damage::Fill(at, byte, len) => {
            let at = place(*at);
            let end = (at + usize::from(*len)).min(bytes.len());
            bytes[at..end].fill(*byte);
        }
        Damage::Cut(at) => {
            let at = place(*at);
            bytes.truncate(at);
        }
        Damage::Insert(at, more) => {
            let at = place(*at);
            bytes.splice(at..at, more.iter().copied());
        }
        Damage::Double(at, len) => {
            let at = place(*at);
            let end = (at + usize::from(*len)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
}

proptest! {
    #![proptest_config(super::cases(400))]

    #[test]
    fn fuzz_damaged_files_end_in_an_error_or_in_rows(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let (name, whole) = FILES.iter().nth(which.index(FILES.len())).unwrap();
        let mut bytes = whole.to_vec();
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        survives(name, &bytes.into());
    }

    #[test]
    fn fuzz_any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut avro = b"Obj\x01".to_vec();
        avro.extend_from_slice(&bytes);
        survives("x.avro", &avro.into());
        let mut orc = bytes.clone();
        orc.extend_from_slice(b"\x82\xf4\x03\x03ORC");
        orc.push(orc.len().min(20) as u8);
        survives("x.orc", &orc.into());
        let mut parquet = b"PAR1".to_vec();
        parquet.extend_from_slice(&bytes);
        parquet.extend((bytes.len() as u32).to_le_bytes());
        parquet.extend_from_slice(b"PAR1");
        survives("x.parquet", &parquet.into());
    }
}
