//! Files that are empty, cut, of another kind or under another name, whatever the format.

use longshore_crds::{LoadRequest, OnFileError, Outcome, exit};
use serde_json::{Value, json};

use super::{ALL, FileFormat, counts, file, world};

/// 500 rows of ids and texts.
fn content(format: FileFormat, first: i64) -> Vec<u8> {
    let rows: Vec<Vec<Value>> =
        (first..first + 500).map(|id| vec![json!(id), json!(format!("text {}", id * 7919 % 1013))]).collect();
    file(format, &["id int", "v text"], &rows)
}

#[test]
pub fn a14_files_without_rows_among_others_give_none() {
    for &format in ALL {
        let world = world(vec![]);
        let suffix = format.suffix();
        let none = file(format, &["id int", "v text"], &[]);
        world.put(&format!("a.{suffix}"), content(format, 0));
        world.put(&format!("none.{suffix}"), &none);
        let report = world.load(format.request(&world, "load", "*"));
        assert_eq!(counts(&report), (500, 500, 0, 0), "{format:?} {report:?}");
        assert_eq!(report.counts.file_number, 2, "{format:?}");
        let mut request = format.request(&world, "none", &format!("none.{suffix}"));
        let report = world.load(request.clone());
        let reason = (report.reason.as_str(), report.exit_code);
        assert_eq!(reason, ("EmptyLoad", exit::QUALITY), "{format:?} {report:?}");
        request.allow_empty = true;
        request.run = 2;
        assert_eq!(world.load(request).exit_code, exit::LOADED, "{format:?}");
    }
}

#[test]
pub fn a22_a_stated_format_is_honoured_whatever_the_suffix() {
    for &format in ALL {
        for name in ["a.bin", "a", "b.parquet", "b.csv", "b.json", "b.orc", "b.avro"] {
            let world = world(vec![]);
            world.put(name, content(format, 0));
            let mut request = world.request("load", name);
            request.sources[0].format = Some(format.stated());
            let report = world.load(request);
            assert_eq!(counts(&report), (500, 500, 0, 0), "{format:?} as {name}: {report:?}");
        }
    }
}

#[test]
pub fn a22_a_file_of_another_kind_says_what_it_is() {
    for &format in ALL {
        for &other in ALL.iter().filter(|&&other| other != format) {
            // Any line of text may be CSV of one column; its rows are judged, not its kind.
            if other == FileFormat::Csv && format == FileFormat::Json {
                continue;
            }
            let world = world(vec![]);
            let key = format!("a.{}", other.suffix());
            world.put(&key, content(format, 0));
            let report = world.load(world.request("load", &key));
            assert_ne!(report.outcome, Outcome::Loaded, "{format:?} as {other:?}");
            assert!(report.message.contains(&key), "{}", report.message);
            let kind = match format {
                FileFormat::Parquet => "Parquet",
                FileFormat::Orc => "ORC",
                FileFormat::Avro => "Avro",
                // JSON that is no JSON has lines to name, not a kind.
                FileFormat::Csv if other == FileFormat::Json => "row 1",
                FileFormat::Csv | FileFormat::Json => "text",
            };
            assert!(report.message.contains(kind), "{format:?} as {other:?}: {}", report.message);
            assert_eq!(world.row_count(), 0);
        }
    }
}

/// The content as a file that ends too early can be told: CSV and lines of JSON have no end mark, gzip has.
fn cuttable(format: FileFormat) -> (String, Vec<u8>) {
    let plain = content(format, 1_000);
    match format {
        FileFormat::Csv | FileFormat::Json => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gzip, &plain).unwrap();
            (format!("{}.gz", format.suffix()), gzip.finish().unwrap())
        }
        _ => (format.suffix().to_owned(), plain),
    }
}

#[test]
pub fn a21_a_cut_file_fails_the_load_or_is_skipped_whole() {
    for &format in ALL {
        let world = world(vec![]);
        let (suffix, whole) = cuttable(format);
        world.put(&format!("a.{}", format.suffix()), content(format, 0));
        for cut in [whole.len() / 2, whole.len() * 9 / 10, whole.len() - 1] {
            let bad = format!("cut.{suffix}");
            world.put(&bad, &whole[..cut]);
            let abort = format.request(&world, &format!("abort-{cut}"), "*");
            let report = world.load(abort);
            assert_eq!(
                (report.outcome, report.exit_code),
                (Outcome::Failed, exit::SOURCE),
                "{format:?} {report:?}"
            );
            assert!(report.message.contains(&bad), "{}", report.message);
            assert_eq!(world.row_count(), 0, "{format:?}");
        }
        let skip = LoadRequest {
            on_file_error: OnFileError::SkipFile,
            max_skipped_files: Some(1),
            ..format.request(&world, "skip", "*")
        };
        let report = world.load(skip);
        assert_eq!(report.reason, "LoadedWithSkippedFiles", "{format:?} {report:?}");
        assert_eq!((counts(&report), report.counts.skipped_files), ((500, 500, 0, 0), 1), "{format:?}");
        assert_eq!(world.row_count(), 500, "{format:?}");
    }
}
