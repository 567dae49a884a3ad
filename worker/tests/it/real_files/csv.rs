//! CSV.

use super::load_all;

#[test]
fn files_of_csv_by_every_writer_load_as_they_were_meant() {
    let (loaded, refused) = load_all("csv");
    assert_eq!((loaded.len(), refused.len()), (13, 0), "{loaded:?} {refused:?}");
}
