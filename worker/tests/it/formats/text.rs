//! Compressed text: CSV and JSON alike.

use longshore_crds::Outcome;

use super::{TEXT, counts, file, numbered, world};
use crate::load::codecs::compressed;
use crate::world::column;

#[test]
pub fn a21_every_codec_gives_the_rows_of_the_plain_file() {
    let values: Vec<_> = (0..20_000).map(|row| format!("value {}", row * 7919 % 1013).into()).collect();
    for &format in TEXT {
        let plain = file(format, &["id int", "v text"], &numbered(&values));
        let load = |key: &str, bytes: &[u8]| {
            let world = world(vec![column("v", "STRING")]);
            world.put(key, bytes);
            let report = world.load(format.request(&world, "load", key));
            assert_eq!((report.outcome, counts(&report)), (Outcome::Loaded, (20_000, 20_000, 0, 0)), "{key}");
            (world.sorted("id"), world.sorted("v"))
        };
        let expected = load(&format!("a.{}", format.suffix()), &plain);
        for (key, bytes) in compressed(&plain) {
            let key = key.replace("csv", format.suffix());
            assert!(load(&key, &bytes) == expected, "{key}");
        }
    }
}
